"""Any Unicode character as LaTeX prints it, in pdfLaTeX with its oldest fonts as in LuaLaTeX and XeLaTeX."""

from __future__ import annotations

import re
import unicodedata

from reports.tables.numbers import MINUS

# LuaLaTeX and XeLaTeX print the character itself, as far as the font has it; pdfLaTeX prints what stands in for it.
COMMAND = r"\unicodeletter"
DEFINITION = rf"\DeclareRobustCommand{{{COMMAND}}}[2]{{\ifdefined\Umathchar #1\else #2\fi}}"
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$",
    MINUS: "$-$", "\N{EN DASH}": "--", "—": "---", "†": r"\textdagger{}", "·": r"$\cdot$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "…": r"\ldots{}", "µ": r"$\mu$", "≤": r"$\leq$", "≥": r"$\geq$",
    "\u202f": r"\,", "\xa0": "~", "∘": r"$\circ$", "°": r"$^\circ$", "²": "$^2$", "³": "$^3$", "∞": r"$\infty$",
    "\N{TILDE OPERATOR}": r"$\sim$",
    "“": "``", "”": "''", "\N{RIGHT SINGLE QUOTATION MARK}": "'", "[": "{[}", "]": "{]}",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ł": r"\l{}", "Ł": r"\L{}", "\N{LATIN SMALL LETTER DOTLESS I}": r"\i{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=", "\u0307": ".",
    "\u030c": "v", "\u0306": "u", "\u030b": "H", "\u030a": "r", "\u0327": "c", "\u0323": "d", "\u0331": "b",
}  # fmt: skip


def escape(text: str) -> str:
    """Return text that LaTeX prints as it stands; control characters and line ends become spaces."""
    flat = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", unicodedata.normalize("NFC", text))
    flat = re.sub(r'(?:^|(?<=[\s(\[]))"', "“", flat)  # a straight mark in front of a word opens
    return "".join(_printed(cluster) for cluster in re.findall(r".[\u0300-\u036f]*", flat))


def _printed(cluster: str) -> str:
    """Return a character with the accents that follow it."""
    if cluster in _LATEX or cluster.isascii():
        return _LATEX.get(cluster, cluster)
    base, *accents = unicodedata.normalize("NFD", cluster)
    if (base.isascii() or base in _LATEX) and all(accent in _ACCENTS for accent in accents):
        text = _LATEX.get(base, base)
        for accent in accents:
            text = rf"\{_ACCENTS[accent]}{{{text}}}"
        return text
    size, _, name = unicodedata.name(base, "").replace("LAMDA", "LAMBDA").removeprefix("GREEK ").partition(" LETTER ")
    letter = name.lower() if size == "SMALL" else name.capitalize()
    if _GREEK.fullmatch(letter) and not accents:
        return rf"$\{letter}$"
    return _stood_in_for(cluster)


def _stood_in_for(cluster: str) -> str:
    code = "".join(f"U+{ord(character):04X}" for character in cluster)
    if unicodedata.category(cluster[0]) in ("Cs", "Cn"):  # no characters at all, or none that UTF-8 has
        return code
    if unicodedata.category(cluster[0]) == "Cf":  # marks without a shape of their own
        return ""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", cluster) if letter.isascii())
    return f"{COMMAND}{{{cluster}}}{{{''.join(_LATEX.get(letter, letter) for letter in plain) or code}}}"
