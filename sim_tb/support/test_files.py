"""Files and folders are written whole or not at all."""

from pathlib import Path

import pytest

from support.files import OutputError, write_folder


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    page = tmp_path / "out" / "page"
    for text in ("first", "second"):

        def write(folder: Path, text: str = text) -> None:
            (folder / text).write_text(text)

        assert write_folder(page, write) == page
        assert contents(tmp_path) == {f"out/page/{text}": text}


@pytest.mark.parametrize("before", [{}, {"old": "old"}])
@pytest.mark.parametrize(
    "failure", [ValueError("no"), OSError(28, "no space"), KeyboardInterrupt()]
)
def test_nothing_is_left_of_a_folder_that_fails(
    before: dict[str, str], failure: BaseException, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    if before:
        page.mkdir()
        (page / "old").write_text("old")

    def write(folder: Path) -> None:
        (folder / "half").touch()
        raise failure

    expected = OutputError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected) as error:
        write_folder(page, write)
    if expected is OutputError:
        assert str(error.value) == f"cannot write {page}: no space"
    assert [path.name for path in tmp_path.iterdir()] == (["page"] if before else [])
    assert contents(tmp_path) == {f"page/{name}": text for name, text in before.items()}
