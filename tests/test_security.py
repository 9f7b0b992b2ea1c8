"""What SECURITY.md says: its tests are there, no data becomes code, and one room makes requests."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tiny_project import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
CODE = [*sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]
# What makes code or objects of any class of what is read.
RUNS = {"eval", "exec", "compile", "__import__", "execfile"}
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
FORBIDDEN = {"yaml.load", "yaml.unsafe_load", "joblib.load"}
FORBIDDEN |= {"os.system", "os.popen", "subprocess.getoutput"}
NETWORK = {"requests", "urllib.request", "http", "socket", "ftplib", "aiohttp", "httpx"}
SAFE = {"trust_remote_code": False, "allow_pickle": False, "shell": False, "weights_only": True}


@pytest.mark.parametrize("name", sorted(set(re.findall("`(test_[a-z0-9_]+)`", PAGE))))
def test_each_sentence_has_its_test(name):
    assert any(f"def {name}(" in file.read_text() for file in (ROOT / "tests").glob("test_*.py"))


def test_no_sentence_lacks_a_test():
    rows = PAGE.partition("## What holds")[2].partition("\n## ")[0].splitlines()
    sentences = [row for row in rows if row.startswith("| ")][1:]
    assert len(sentences) > 10
    assert [row for row in sentences if not re.search("`test_[a-z0-9_]+`", row)] == []


def imported(tree: ast.AST) -> set[str]:
    """The modules that code imports, each with those that it lies in."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module}
    return names | {name.split(".")[0] for name in names if not name.startswith("urllib")}


def dangers(code: str) -> list[str]:
    """What in code could run, or make objects, of what is read."""
    tree = ast.parse(code)
    found = sorted(imported(tree) & UNPICKLES)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if called in RUNS | FORBIDDEN or called.endswith(".read_pickle"):
            found.append(called)
        if called == "torch.load" and given.get("weights_only") != "True":
            found.append(called)
        unsafe = (name for name, safe in SAFE.items() if given.get(name, str(safe)) != str(safe))
        found += [f"{called}({name}=...)" for name in unsafe]
    return found


def test_no_code_comes_with_data():
    found = {file: dangers(file.read_text()) for file in CODE}
    assert {file: dangerous for file, dangerous in found.items() if dangerous} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import load",
        "eval(text)",
        "yaml.load(file)",
        "pandas.read_pickle(path)",
        "torch.load(path)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(folder, trust_remote_code=given)",
    ],
)
def test_each_danger_is_found(code):
    assert dangers(code)


@pytest.mark.slow
def test_one_room_speaks_to_the_network():
    files = [file for file in CODE if imported(ast.parse(file.read_text())) & NETWORK]
    assert {file.parent.name for file in files} == {"sources"}
