"""Templates of reports: text from outside is escaped, a name that is missing is an error."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from abr import __version__


def template(name: str) -> Template:
    """A template of ``bench/reports/templates``; it knows ``version``, that of abrkit."""
    environment = Environment(
        loader=PackageLoader("bench.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["version"] = __version__
    return environment.get_template(name)
