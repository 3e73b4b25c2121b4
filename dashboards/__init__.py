"""What people look at: the command line, the demo, and later the boards. Wires collector and verifier together."""
