"""Every permission there is. Roles are sets of them (`tenancy.roles`)."""

from enum import StrEnum


class Permission(StrEnum):
    """What a person may do at a site. Views, consumers and services name one."""

    SITE_VIEW = "site.view"
    COMPUTER_VIEW = "computer.view"
    COMPUTER_ENROL = "computer.enrol"
    COMPUTER_REVOKE = "computer.revoke"
    SCRIPT_VIEW = "script.view"
    RUN_VIEW = "run.view"
    RUN_CREATE = "run.create"
    RUN_CANCEL = "run.cancel"
    POLICY_VIEW = "policy.view"
    POLICY_EDIT = "policy.edit"
    AUDIT_READ = "audit.read"


class Access(StrEnum):
    """Who reaches a URL that no site permission guards."""

    PUBLIC = "public"
    SIGNED_IN = "signed-in"
    AGENT = "agent"
