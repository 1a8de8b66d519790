"""How a layer of the network fails, in words, and what to do about it."""

from client_agent.texts import _


def said_of(code: str) -> tuple[str, str]:
    """How it is (with ``{detail}``) and what to do, for a code of the probe."""
    for table in (_names_and_connections, _proxies, _encryption, _answers):
        said = table().get(code)
        if said is not None:
            return said
    return "{detail}", _("If it lasts, show this line to whoever runs the portal.")


def _names_and_connections() -> dict[str, tuple[str, str]]:
    dns = _(
        "Check the cable and the name servers (DNS) that the network gives out; port "
        "53 to them must be allowed."
    )
    cable = _("Check the cable, the computer's address and its gateway.")
    return {
        "name-unknown": (
            _("no name server knows {detail}"),
            _(
                "Check how the name is written; if it is right, the network's name "
                "servers have to learn it."
            ),
        ),
        "name-server-silent": (_("no name server answers for {detail}"), dns),
        "name-failed": (_("{detail} cannot be looked up"), dns),
        "connect-refused": (
            _("{detail} refuses connections"),
            _("Check name and port; nothing listens there, or a firewall refuses."),
        ),
        "connect-silent": (
            _("{detail} does not answer"),
            _("A firewall seems to drop it: allow TCP to this name and port."),
        ),
        "connect-unreachable": (_("there is no way to {detail}"), cable),
        "connect-failed": (_("no connection to {detail}"), cable),
        "probe-failed": (
            _("it could not be found out in time"),
            _("The network is very slow; try again later."),
        ),
    }


def _proxies() -> dict[str, tuple[str, str]]:
    login = _(
        "Enrol again with --proxy http://user:password@name:port, or have the proxy "
        "let this portal through without a login."
    )
    address = _("Check the proxy's name and port in the configuration.")
    return {
        "proxy-login-wanted": (_("it wants a login ({detail})"), login),
        "proxy-login-refused": (_("it does not accept the login ({detail})"), login),
        "proxy-refuses": (
            _("it refuses the way to the portal ({detail})"),
            _("Have the proxy allow CONNECT to the portal's name and port."),
        ),
        "proxy-garbled": (_("what answers at {detail} is no proxy"), address),
        "proxy-silent": (_("{detail} takes connections and says nothing"), address),
        "proxy-untrusted": (
            _("the certificate of {detail} is not trusted"),
            _("Give the site's CA file, or the proxy with http:// before its name."),
        ),
    }


def _encryption() -> dict[str, tuple[str, str]]:
    firewall = _("A firewall seems to cut it: have it let TLS to the portal through.")
    return {
        "tls-untrusted": (
            _("the certificate of {detail} is not trusted"),
            _(
                "If the issuer is a firewall of the site, have it leave the portal "
                "alone, or give the site's CA file (--ca-file)."
            ),
        ),
        "tls-expired": (
            _("the certificate of {detail} has expired"),
            _("Whoever runs the portal has to renew it, unless the clock is wrong."),
        ),
        "tls-not-yet-valid": (
            _("the certificate of {detail} is not valid yet"),
            _("Check the clock."),
        ),
        "tls-name-wrong": (
            _("the certificate is not for {detail}"),
            _("Check the portal's name; a firewall or another server may answer."),
        ),
        "tls-absent": (
            _("{detail} does not speak TLS"),
            _("Check the portal's name and port; something else answers there."),
        ),
        "tls-silent": (_("{detail} does not answer"), firewall),
        "tls-cut": (_("the connection to {detail} was cut"), firewall),
        "tls-failed": (
            _("no agreement with {detail} on how to encrypt"),
            _("Show this line to whoever runs the portal; TLS 1.2 is needed."),
        ),
        "ca-file-unreadable": (
            _("{detail} cannot be read as certificates"),
            _("The user citizenpc-link must be able to read it, and it must be PEM."),
        ),
    }


def _answers() -> dict[str, tuple[str, str]]:
    other = _(
        "Check the portal's address; a proxy or the login page of a network may answer "
        "in its stead."
    )
    return {
        "portal-redirects": (_("it sends us elsewhere: {detail}"), other),
        "portal-foreign": (_("what answers is no CitizenPC portal: {detail}"), other),
        "answer-garbled": (_("what answers at {detail} speaks no HTTP"), other),
        "answer-silent": (
            _("{detail} did not answer, or not to the end"),
            _("The network or the portal is slow; try again later."),
        ),
        "portal-down": (
            _("the portal cannot work now: {detail}"),
            _("Try again later; if it lasts, tell whoever runs the portal."),
        ),
    }
