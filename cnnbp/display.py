"""What a notebook shows of a result: the tables and curves of the terminal."""

from importlib import import_module


class Shown:
    """A result that draws itself in a notebook. It looks up to `report` there, and only there, when it is asked to."""

    def _repr_html_(self) -> str:
        html: str = import_module("cnnbp.report.notebook").html_of(self)
        return html
