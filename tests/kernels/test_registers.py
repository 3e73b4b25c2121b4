"""The register of sources."""

from phusong.kernels.registers import ERROR_COUNT_MAX, SourceRegister, read_sources


def test_a_source_sends_for_the_operator_it_is_registered_for() -> None:
    register = read_sources(b"source,operator\nprobe-7,viettel\n")

    assert isinstance(register, SourceRegister)
    assert register.knows("viettel", "probe-7")
    assert not register.knows("mobifone", "probe-7")


def test_a_byte_order_mark_is_not_part_of_the_first_column() -> None:
    assert isinstance(read_sources(b"\xef\xbb\xbfsource,operator\na,b\n"), SourceRegister)


def test_every_error_is_named_with_its_line_and_column() -> None:
    errors = read_sources(b"source,operator\nprobe 7,viettel\nok,viettel\nprobe-8,\n")

    assert isinstance(errors, list)
    assert [(error.line, error.column) for error in errors] == [(2, "source"), (4, "operator")]
    assert "expected 1 to 64 characters" in errors[0].message


def test_a_missing_column_names_what_was_found() -> None:
    errors = read_sources(b"src,operator\n")

    assert isinstance(errors, list)
    assert errors[0].column == "source"
    assert "src, operator" in errors[0].message


def test_a_file_in_another_encoding_is_refused() -> None:
    assert isinstance(read_sources("source,operator\né,b\n".encode("latin-1")), list)


def test_a_hopeless_file_is_not_read_to_its_end() -> None:
    errors = read_sources(b"source,operator\n" + b"A B,x\n" * (3 * ERROR_COUNT_MAX))

    assert isinstance(errors, list)
    assert len(errors) == ERROR_COUNT_MAX
