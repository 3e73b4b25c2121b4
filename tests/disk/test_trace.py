"""What strace takes down is understood, also where threads overlap."""

from disk.trace import Write, _Reader

# The second thread is given descriptor 5 before the first one's close has been taken down to its end.
OVERLAPPING = r"""
1 openat(AT_FDCWD, "DISK/a", O_WRONLY|O_CREAT) = 5
1 close(5 <unfinished ...>
2 openat(AT_FDCWD, "DISK/b", O_WRONLY|O_CREAT) = 5
1 <... close resumed>) = 0
2 write(5, "\x01\x02", 2) = 2
"""


def escaped(text):
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def test_a_descriptor_may_be_given_again_while_its_close_is_being_taken_down(tmp_path):
    disk, trace = tmp_path / "disk", tmp_path / "trace"
    lines = OVERLAPPING.strip()
    for name in ("a", "b"):
        lines = lines.replace(f"DISK/{name}", escaped(f"{disk}/{name}"))
    trace.write_text(lines + "\n")

    record = _Reader(disk, tmp_path / "marks").read(trace)

    assert [node.operations for node in record.nodes[2:]] == [[Write(4, 4, 0, b"\x01\x02")]]
