"""Root of what the operating system's modules raise."""


class HostError(Exception):
    """The operating system refused; `code` is stable, `detail` for a technician."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class FeatureAbsent(HostError):
    """This computer does not have it, and nothing is wrong with that."""
