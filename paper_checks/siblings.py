"""Whether the packages beside this one are the ones that Python would import. Standard library only.

The four packages have common names, and the folder a command runs in comes first on Python's path.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = ["shadowed"]


def shadowed(*names: str, home: Path | None = None) -> str | None:
    """One sentence if another module would be imported in place of one of these packages, else None; imports nothing.

    Args:
        names: packages that belong beside this one.
        home: the folder that holds them; by default the one that holds `paper_checks`.
    """
    home = Path(__file__).resolve().parent.parent if home is None else home.resolve()
    for name in names:
        spec = find_spec(name)
        if spec is None:
            return f"the package {name!r} is missing in {str(home)!r}; install metaproof again"
        # a package has a folder, a plain module only a file
        place = next(iter(spec.submodule_search_locations or []), spec.origin or "(built in)")
        if Path(place).resolve() != home / name:
            return (
                f"{name!r} would be imported from {place!r} and not from {str(home / name)!r}; run the command from another "
                "folder, or take that one off PYTHONPATH"
            )
    return None
