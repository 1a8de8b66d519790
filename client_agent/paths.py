"""Where the agent keeps things, below a root directory."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """All paths of one agent. `root` is ``/``, or a sandbox's directory."""

    root: Path

    @property
    def is_sandbox(self) -> bool:
        return self.root != Path("/")

    @property
    def config(self) -> Path:
        return self.root / "etc/citizenpc/config.json"

    @property
    def state_dir(self) -> Path:
        """Of the root half alone (0700)."""
        return self.root / "var/lib/citizenpc"

    @property
    def device_key(self) -> Path:
        return self.state_dir / "device.key"

    @property
    def seal_key(self) -> Path:
        return self.state_dir / "seal.key"

    @property
    def enrolment(self) -> Path:
        return self.state_dir / "enrolment.json"

    @property
    def accepted_state(self) -> Path:
        return self.state_dir / "state.json"

    @property
    def facts(self) -> Path:
        return self.state_dir / "facts.json"

    @property
    def lease_request(self) -> Path:
        return self.state_dir / "lease.json"

    @property
    def journal_dir(self) -> Path:
        return self.state_dir / "journal"

    @property
    def spool(self) -> Path:
        return self.state_dir / "spool/records"

    @property
    def blob_dir(self) -> Path:
        return self.state_dir / "blobs"

    @property
    def link_dir(self) -> Path:
        """Of the link's user alone (0700)."""
        return self.root / "var/lib/citizenpc-link"

    @property
    def link_key(self) -> Path:
        return self.link_dir / "link.key"

    @property
    def run_dir(self) -> Path:
        return self.root / "run/citizenpc"

    @property
    def socket(self) -> Path:
        return self.run_dir / "agent.sock"

    @property
    def status(self) -> Path:
        return self.run_dir / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the running root half; contains its process id."""
        return self.run_dir / "agent.lock"

    @property
    def secrets_dir(self) -> Path:
        return self.run_dir / "secrets"

    def prepare(self) -> None:
        """Make the root half's directories with their modes."""
        for private in (
            self.state_dir,
            self.journal_dir,
            self.spool.parent,
            self.blob_dir,
        ):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
