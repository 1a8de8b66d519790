"""Root of the agent's own errors."""


class AgentError(Exception):
    """Something a person must know; `code` is stable, `hint` says what to do.

    `exit_status` is what a command ends with.
    """

    exit_status = 1

    def __init__(self, code: str, detail: str = "", *, hint: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.hint = hint
