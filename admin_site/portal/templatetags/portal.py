"""Small pieces of markup that every page uses."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from admin_site.computers.models import ComputerEvent, SettingCompliance
from admin_site.computers.presence import spoken
from admin_site.jobs.models import Job
from admin_site.portal import code_texts
from admin_site.portal.links import site_url
from admin_site.scripts.models import ScriptVersion
from admin_site.scripts.selectors import metadata_of
from scripts.metadata import ScriptMetadata

register = template.Library()

_CHECKS = ("checkbox", "radio")


@register.simple_tag(takes_context=True)
def at(context: dict[str, Any], name: str, **kwargs: Any) -> str:
    """Address of a view at the site of this page."""
    return site_url(context["site"], name, **kwargs)


@register.simple_tag
def moment(value: datetime | None) -> SafeString | str:
    """A moment in the zone of the page, machine-readable beside it."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        date_format(local, "j F Y H:i"),
    )


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """The form control of `field` with the classes that its kind needs."""
    widget: Any = field.field.widget
    kind = getattr(widget, "input_type", "")
    if kind == "select":
        css = "form-select"
    elif kind in _CHECKS:
        css = "form-check-input"
    else:
        css = "form-control"
    return field.as_widget(attrs={"class": css})


@register.filter
def is_check(field: BoundField) -> bool:
    """Whether the label stands behind a single box to tick."""
    kind = getattr(field.field.widget, "input_type", "")
    return kind == "checkbox" and not field.use_fieldset


@register.filter
def as_json(value: Any) -> str:
    """JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


@register.filter
def in_language(texts: Any, language: str) -> str:
    """One of the texts of a script in `language`, English without it."""
    if isinstance(texts, dict):
        return str(texts.get(language) or texts.get("en", ""))
    return str(texts.in_language(language))


@register.simple_tag
def script_title(version: ScriptVersion) -> str:
    """Title of a script in the language of the page."""
    return metadata_of(version).title.in_language(get_language() or "en")


@register.simple_tag
def job_text(job: Job) -> str:
    """State of a job in words."""
    return code_texts.job_outcome(job)


@register.simple_tag
def compliance_text(row: SettingCompliance) -> str:
    """How a setting stands, in words, with why."""
    state = str(code_texts.COMPLIANCE.get(row.status, row.status))
    reason = row.detail or code_texts.reason_text(row.code)
    return f"{state}: {reason}" if row.code else state


@register.simple_tag
def risk_text(metadata: ScriptMetadata) -> str:
    """What a script may do, in words."""
    return str(code_texts.RISKS[metadata.risk.value])


@register.simple_tag
def seconds_text(seconds: int) -> str:
    """A length of time in words."""
    return spoken(timedelta(seconds=seconds))


@register.filter
def event_words(event: ComputerEvent) -> str:
    """An event of a computer in words."""
    return code_texts.event_text(event)
