"""What may be said about the browsers' start pages."""

from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.protocol.enrolment import Product
from client_agent.settings.definition import (
    N_,
    ChangeClass,
    ListMerge,
    Merge,
    SettingSchema,
    TakesEffect,
    list_meta,
)

# Everything that is no sign of an address: space and control characters, what RFC 3986
# leaves out (Firefox divides its list of start pages at "|"), invisible and
# direction-changing characters, halves of surrogate pairs.
_NO_SIGN = (
    r"\u0000-\u0020\"<>\\\^`\{\|\}\u007f-\u00a0\u00ad\u061c\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ufeff\ufff0-\uffff"
)
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|[^{_NO_SIGN}\/\?#@:\[\]]+)"
URL_PATTERN = (
    rf"^https?:\/\/{_HOST}(?::[0-9]{{1,5}})?(?:[\/\?#][^{_NO_SIGN}]*)?(?![\s\S])"
)
"""An http or https address with a host and without user name or password."""

WebAddress = Annotated[str, Meta(max_length=2000, pattern=URL_PATTERN)]


class BrowserStartPages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An absent `home_page` is the first start page."""

    start_pages: Annotated[
        list[WebAddress],
        list_meta(
            ListMerge(Merge.REPLACE),
            title=N_("Start pages"),
            description=N_(
                "Addresses that open when a browser starts, one tab for each."
            ),
            min_length=1,
            max_length=8,
        ),
    ]
    home_page: Annotated[
        WebAddress | None,
        Meta(
            title=N_("Home page"),
            description=N_(
                "Address behind the home button. Without one it is the first start "
                "page. Firefox always opens its start pages instead."
            ),
        ),
    ] = None
    show_home_button: Annotated[
        bool | None,
        Meta(
            title=N_("Home button"),
            description=N_(
                "Whether the home button is shown. Without an answer each browser "
                "does as it usually does."
            ),
        ),
    ] = None


SCHEMA = SettingSchema(
    slug="browser-start-pages",
    struct=BrowserStartPages,
    title=N_("Browser start pages"),
    help=N_("The pages that Firefox and Chromium open when they start."),
    change_class=ChangeClass.COSMETIC,
    takes_effect=TakesEffect.NEXT_LOGIN,
    products=frozenset({Product.DESKTOP}),
)
