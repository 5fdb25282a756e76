"""What the pages say, held against what there is."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from cli_help import commands, help_text

import flowkit
import flowkit_deflow
from flowkit.testing import PROPERTIES
from flowkit.testing.__main__ import main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
WRITTEN = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
    *sorted((ROOT / "docs" / "reference").glob("*.md")),
]
PAGES = [README, ROOT / "flowkit_deflow" / "README.md", *WRITTEN]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PYTHON = [(path, code) for path in WRITTEN for code in blocks(path, "python")]


@pytest.mark.parametrize(("path", "code"), PYTHON, ids=[f"{path.name}-{i}" for i, (path, _) in enumerate(PYTHON)])
def test_python_blocks_run(path: Path, code: str) -> None:
    exec(compile(code, str(path), "exec"), {})


def test_some_pages_have_python_blocks() -> None:
    assert {path.name for path, _ in PYTHON} >= {"index.md", "contract.md", "migration.md"}


def calls_of_the_command(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^ *(?:\.venv/bin/)?deflow (\w.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist_with_their_options(path: Path) -> None:
    text = path.read_text(encoding="utf-8") if path in EXAMPLES else "\n".join(blocks(path, "sh"))
    for name, *arguments in calls_of_the_command(text):
        assert name in commands(), f"{path.name}: deflow {name}"
        # Of a command in a group, the name is two words.
        whole = f"{name} {arguments[0]}" if f"{name} {arguments[0]}" in commands() else name
        known = help_text(whole)
        for option in (argument for argument in arguments if argument.startswith("--")):
            assert re.search(rf"^ *{option}\b", known, re.MULTILINE), f"{path.name}: deflow {whole} {option}"


def test_options_of_the_contracts_command_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"--\w+", capsys.readouterr().out))
    pages = [*PAGES, *EXAMPLES, *(ROOT / "docs" / "reference").glob("*.rst")]
    calls = [line for page in pages for line in re.findall(r"python -m flowkit\.testing[^\n`]*", page.read_text())]
    assert len(calls) >= 5
    assert {option for call in calls for option in re.findall(r"--\w+", call)} - known == set()
    ids = {name for call in calls for given in re.findall(r"--only ([\w,]+)", call) for name in given.split(",")}
    assert ids <= {claim.id for claim in PROPERTIES}
    assert ids


def test_the_command_is_shown_in_readme_and_page_alike() -> None:
    page = ROOT / "docs" / "reference" / "cli.md"
    main = [call for call in calls_of_the_command("\n".join(blocks(README, "sh"))) if call[0] != "demo"]
    assert main
    assert [call for call in main if call not in calls_of_the_command("\n".join(blocks(page, "sh")))] == []


def test_every_command_is_named_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in commands() if not re.search(rf"deflow {name}\b|`{name}`", text)] == []


def test_presets_that_are_named_are_the_presets() -> None:
    listed = "aim, ntire, dped, aim+, ntire+, dped+, small, medium or tiny"
    assert listed in help_text("train")
    assert set(re.findall(r"[\w+]+", listed)) - {"or"} == set(flowkit_deflow.PRESETS)
    reference = (ROOT / "docs" / "reference" / "deflow.rst").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ *The presets by name:.*$", reference, re.MULTILINE)
    assert {name for name in flowkit_deflow.PRESETS if f"``{name}``" in line} == set(flowkit_deflow.PRESETS)


def test_extras_that_are_named_are_the_extras() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert {name for found in re.findall(r"`\.\[([\w,]+)\]`", page) for name in found.split(",")} == {
        name for name in declared if name not in ("benchmarks", "docs")
    }


def test_every_public_name_is_on_a_page_of_the_reference() -> None:
    reference = "\n".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.rst"))
    listed = set(re.findall(r"^(?: {3}|\.\. py:data:: )(\w+)", reference, re.MULTILINE))
    for package in (flowkit, flowkit_deflow):
        assert [name for name in package.__all__ if name not in listed] == []


def test_links_between_pages_lead_somewhere() -> None:
    generated = {f"/auto_examples/{path.stem}" for path in EXAMPLES}
    for path in WRITTEN:
        for target in re.findall(r"\{doc\}`(?:[^<`]*<)?([^>`]+)>?`", path.read_text(encoding="utf-8")):
            start = ROOT / "docs" if target.startswith("/") else path.parent
            there = [(start / f"{target.lstrip('/')}{ending}").is_file() for ending in (".md", ".rst")]
            assert any(there) or target in generated, f"{path.name}: {target}"


def test_the_gallery_has_every_example() -> None:
    gallery = (ROOT / "docs" / "_ext" / "gallery.py").read_text(encoding="utf-8")
    assert sorted(re.findall(r'^ {4}"(plot_\w+\.py)",$', gallery, re.MULTILINE)) == [path.name for path in EXAMPLES]
