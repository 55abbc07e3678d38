"""A label of any letters, in any alphabet, is printed by LaTeX."""

import shutil
import subprocess

import pytest

from reports import PAPERS
from reports.tables.latex import latex
from reports.tables.letters import COMMAND, escape
from reports.tables.table import Head, Table, Text

ALPHABETS = [
    "".join(map(chr, range(0x20, 0x7F))),
    "".join(map(chr, range(0xA0, 0x180))),
    "".join(map(chr, range(0x386, 0x3CF))),
    "Лёгкие, печень; צפון كبد 肺 肝臓 간 ปอด 😀 ﬁ № ™ ½ → ∞ x̂ ế ǭ",
    "\u0301a \u200b\u202e \ue000 \ufffe \ud800 \U000e0001 \t\r\n\x00 \u2028",
]


def test_letters_keep_their_accents():
    assert escape("Größe, piñón, łódź, ế, Ångström") == (
        r"Gr\"{o}\ss{}e, pi\~{n}\'{o}n, \l{}\'{o}d\'{z}, \'{\^{e}}, \r{A}ngstr\"{o}m"
    )
    assert escape('"a b" ("c")') == "``a b'' (``c'')"
    assert escape("αλΩ") == r"$\alpha$$\lambda$$\Omega$"
    assert escape("肺") == r"\unicodeletter{肺}{U+80BA}"
    assert escape("R&D 100 % a_b^c ~{$#}\\") == (
        r"R\&D 100 \% a\_b\textasciicircum{}c \textasciitilde{}\{\$\#\}\textbackslash{}"
    )


@pytest.mark.parametrize("text", ALPHABETS)
def test_what_is_printed_can_be_written_to_a_file(text):
    assert escape(text).encode("utf-8").count(b"{") == escape(text).count("}")
    assert not set(escape(text)) & set("\t\r\n\x00\u2028")


@pytest.mark.parametrize("path", sorted(PAPERS.rglob("*.*")), ids=lambda path: path.name)
def test_no_letter_of_the_papers_needs_another_font(path):
    assert COMMAND not in escape(path.read_text(encoding="utf-8"))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdfLaTeX is not installed")
def test_pdflatex_prints_every_alphabet(tmp_path):
    heads = [Head("Method", number=False), Head("Dice")]
    rows = [[Text(text, best=number == 1), Text("0.5")] for number, text in enumerate(ALPHABETS)]
    table = latex([Table(caption="".join(ALPHABETS), heads=heads, rows=rows, notes=[ALPHABETS[2]])])
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{packages}\n{table}\n\\listoftables\\end{{document}}\n", encoding="utf-8")
    for _ in range(2):  # the second run reads what the first one wrote of the caption
        words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
