"""Lists of many rows: searched, filtered, sorted and paged on the server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import F, OrderBy, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise

PAGE_SIZE = 25


@dataclass(frozen=True)
class Column:
    """`order_by` names fields; a column without any cannot be sorted."""

    key: str
    title: str | Promise
    order_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A column as shown: `link` sorts by it, `sorted_as` is for ``aria-sort``."""

    title: str | Promise
    link: str
    sorted_as: str


@dataclass(frozen=True)
class Listing:
    """One page of rows with the links around it."""

    headings: Sequence[Heading]
    page: Page[Any]
    parameters: QueryDict

    def page_links(self) -> Iterator[tuple[str, str, bool]]:
        """Label, link and whether it is this page; a gap has no link."""
        paginator = self.page.paginator
        for number in paginator.get_elided_page_range(self.page.number, on_each_side=1):
            is_gap = not isinstance(number, int)
            link = "" if is_gap else _link(self.parameters, page=str(number))
            yield str(number), link, number == self.page.number

    def previous_link(self) -> str:
        """Link to the page before, empty on the first."""
        if not self.page.has_previous():
            return ""
        return _link(self.parameters, page=str(self.page.previous_page_number()))

    def next_link(self) -> str:
        """Link to the page after, empty on the last."""
        if not self.page.has_next():
            return ""
        return _link(self.parameters, page=str(self.page.next_page_number()))


def listing(
    rows: QuerySet[Any],
    columns: Sequence[Column],
    parameters: QueryDict,
    *,
    sort: str,
    page_size: int = PAGE_SIZE,
) -> Listing:
    """Sort `rows` as ``?sort=`` says, else by `sort`, and cut out ``?page=``.

    A minus before the key turns the order round. Nonsense counts as the default.
    """
    wanted = parameters.get("sort", sort)
    by_key = {each.key: each for each in columns if each.order_by}
    column = by_key.get(wanted.removeprefix("-"))
    if column is None:
        wanted, column = sort, by_key[sort.removeprefix("-")]
    is_descending = wanted.startswith("-")
    ordered = rows.order_by(
        *(_direction(field, is_descending) for field in column.order_by), "pk"
    )
    page = Paginator(ordered, page_size).get_page(parameters.get("page"))
    headings = [
        _heading(each, parameters, is_sorted=each is column, descends=is_descending)
        for each in columns
    ]
    return Listing(headings, page, parameters)


def _heading(
    column: Column, parameters: QueryDict, *, is_sorted: bool, descends: bool
) -> Heading:
    if not column.order_by:
        return Heading(column.title, "", "")
    turns = is_sorted and not descends
    link = _link(parameters, sort=f"-{column.key}" if turns else column.key, page="")
    if not is_sorted:
        return Heading(column.title, link, "none")
    return Heading(column.title, link, "descending" if descends else "ascending")


def _direction(field: str, is_descending: bool) -> OrderBy:
    if is_descending:
        return F(field).desc(nulls_last=True)
    return F(field).asc(nulls_first=True)


def _link(parameters: QueryDict, **changes: str) -> str:
    query = parameters.copy()
    for name, value in changes.items():
        if value:
            query[name] = value
        else:
            query.pop(name, None)
    return f"?{query.urlencode()}"
