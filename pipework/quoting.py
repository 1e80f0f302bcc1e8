"""Words as a shell takes them: for the lines that say what an action does."""

from __future__ import annotations


def quote(word: str) -> str:
    """A word as a shell takes it, and a terminal shows it: names from the kernel may hold anything."""
    if word and all((c.isalnum() and c.isascii()) or c in "@%+=:,./-_" for c in word):
        return word
    if not word.isprintable():
        octal = "".join(f"\\{byte:03o}" for byte in word.encode("utf-8", "surrogateescape"))
        return f"\"$(printf '{octal}')\""
    return "'" + word.replace("'", "'\"'\"'") + "'"
