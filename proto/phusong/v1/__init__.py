"""The wire: messages generated from the `.proto` files beside this one."""
