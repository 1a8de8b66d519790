"""The compiler's place in the worker."""

from uuid import UUID

from admin_site.computers.dirty import COMPILE_TASK
from admin_site.core import clock
from admin_site.core.tasks import defer_by_name, tenant_task
from admin_site.desired_state.services import BATCH, compile_dirty


@tenant_task(COMPILE_TASK)
def compile_dirty_states(*, organisation_id: UUID) -> None:
    """Compile a batch, and go on in another transaction while there are more."""
    if compile_dirty(organisation_id=organisation_id, now=clock.now()) == BATCH:
        defer_by_name(COMPILE_TASK, organisation_id)
