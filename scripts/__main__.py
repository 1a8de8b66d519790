"""``python -m scripts check | build | docs``."""

import argparse
import sys
from collections.abc import Sequence

from scripts import build
from scripts.index import load_library


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 done, 1 something is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts", description="Check and build the script library."
    )
    parser.add_argument(
        "command",
        choices=("check", "build", "docs"),
        help="check: scripts and generated files; build: check the scripts, then "
        "write schema, documentation and index; docs: the same without the index",
    )
    command = parser.parse_args(arguments).command
    findings = build.check_library()
    if command == "check" and not findings:
        findings = build.check_generated()
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        return 1
    if command != "check":
        for path in build.write_generated():
            print(f"wrote {path.relative_to(build.REPOSITORY_ROOT)}")
    if command == "build":
        build.INDEX_PATH.parent.mkdir(parents=True, exist_ok=True)
        build.INDEX_PATH.write_bytes(build.index_content())
        print(f"wrote {build.INDEX_PATH.relative_to(build.REPOSITORY_ROOT)}")
    print(f"{len(load_library())} scripts are fit for use")
    return 0


if __name__ == "__main__":
    sys.exit(main())
