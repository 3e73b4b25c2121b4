"""The command line: the public face of the service."""


def main() -> None:
    """Run `phusong`."""
