"""Sizes that both sides enforce, in bytes unless the name says otherwise."""

BODY_BYTES = 1024 * 1024
"""Largest request body except where a narrower limit below applies."""

FACTS_BYTES = 256 * 1024
OUTPUT_CHUNK_BYTES = 64 * 1024
BLOB_BYTES = 64 * 1024 * 1024

OUTPUT_HEAD_BYTES = 256 * 1024
OUTPUT_TAIL_BYTES = 1792 * 1024
"""Of longer output the first HEAD and the last TAIL bytes are kept, with a mark."""

OUTPUT_STORED_BYTES = OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES + 1024
"""Upper bound of what one job may store: head, mark and tail."""

SECRET_BYTES = 16 * 1024
TOKEN_LIFETIME_SECONDS = 120
"""Longest allowed distance between ``iat`` and ``exp`` of a request's token."""

CLOCK_SKEW_SECONDS = 60
REPORT_RECORDS = 200
LEASED_JOBS = 8
