"""Klaviyo, pretended: profiles, events and metrics to read; import jobs and deletion to write.

Words and limits are those of the public documentation and of recorded exchanges; what neither
tells is answered as strictly as the specification allows.
"""

from starlette.routing import Route

from orchestration.sandbox.server.klaviyo.common import Gate, busy
from orchestration.sandbox.server.klaviyo.jobs import Jobs
from orchestration.sandbox.server.klaviyo.reads import Reads
from orchestration.sandbox.server.klaviyo.writes import Writes
from orchestration.sandbox.server.state import Sandbox

__all__ = ["busy", "routes"]


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/klaviyo/<shop>/api/...` answers."""
    gate = Gate(sandbox)
    jobs, reads, writes = Jobs(sandbox, gate), Reads(sandbox, gate), Writes(sandbox, gate)
    api = "/klaviyo/{shop}/api"
    job = f"{api}/profile-bulk-import-jobs"
    return [
        Route(job, jobs.create_job, methods=["POST"]),
        Route(job + "/{job_id}", jobs.get_job, methods=["GET"]),
        Route(job + "/{job_id}/import-errors", jobs.get_errors, methods=["GET"]),
        Route(f"{api}/profiles", reads.profiles, methods=["GET"]),
        Route(f"{api}/events", reads.events, methods=["GET"]),
        Route(f"{api}/metrics", reads.metrics, methods=["GET"]),
        Route(f"{api}/profile-import", writes.import_profile, methods=["POST"]),
        Route(f"{api}/data-privacy-deletion-jobs", writes.delete_profile, methods=["POST"]),
    ]
