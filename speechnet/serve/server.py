"""Starts the demo, and ends it without a trace."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechnet.console.messages import output, say
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError
from speechnet.core.scratch import temporary_folder
from speechnet.experiment.run_location import read_info
from speechnet.serve.address import is_loopback, listening, url_of
from speechnet.serve.limits import Limits

if TYPE_CHECKING:
    from speechnet.inference.predictor import Predictor
    from speechnet.serve.request_filter import RequestFilter  # needs what comes with Gradio

_CONNECTIONS: Final = 200
"""Open connections, above which new ones are turned away."""
_GRACE_S: Final = 3
"""Seconds that running requests get when the server ends."""
_NO_REPORTS: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # torchmetrics imports onnxruntime where there is one, which reports that to its makers.
    "ORT_DISABLE_TELEMETRY": "1",
}
"""Keeps libraries from reporting their use to anybody."""


def serve(run_path: Path, *, limits: Limits, host: str, port: int) -> None:
    """Show a run in the browser until the process is told to end.

    Args:
        run_path: the run folder.
        limits: how much is accepted.
        host: the address to listen on.
        port: of TCP; 0 for any that is free.

    Raises:
        ConfigError: Gradio is missing, the address can't be listened on,
            or the run can't take a recording by itself.
        DataError: the run is incomplete or damaged.
    """
    _check_gradio()
    with listening(host, port) as listener, _private_folder() as folder:
        read_info(run_path)  # before what takes seconds to import
        with working("loading the models"):
            app = _application(_load(run_path), limits=limits, host=host, folder=folder)
            gc.collect()
            gc.freeze()  # what is loaded stays loaded: no collection need visit it
        if not is_loopback(host):
            say(
                f"Whoever reaches {host} can use this: there is no password. Browsers let a page "
                "use the microphone only over https or on the machine itself.",
                style="yellow",
            )
        _run(app, listener)


def _check_gradio() -> None:
    if find_spec("gradio") is None:
        raise ConfigError("the demo needs Gradio: pip install 'speechnet[serve]'")


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for this process alone, which Gradio uses; removed at the end."""
    before = dict(os.environ)
    with temporary_folder() as name:
        # Settings for other programs that use Gradio don't count here.
        for key in [key for key in before if key.startswith("GRADIO_")]:
            del os.environ[key]
        os.environ |= _NO_REPORTS | {"GRADIO_TEMP_DIR": name}
        try:
            yield Path(name)
        finally:
            os.environ.clear()
            os.environ |= before


def _load(run_path: Path) -> Predictor:
    """The run with all of its models; refused if it can't predict a recording by itself."""
    # Here, where the environment is set for what it imports.
    from speechnet.experiment.saved_run import SavedRun
    from speechnet.inference.predictor import Predictor

    predictor = Predictor(SavedRun(run_path), model="all")
    predictor.check_alone()
    return predictor


def _application(predictor: Predictor, *, limits: Limits, host: str, folder: Path) -> RequestFilter:
    """Build the page and recognise something, so that nobody waits for what is done once."""
    import fastapi
    import gradio

    from speechnet.serve.page import build, style, theme
    from speechnet.serve.recognition import UploadRecogniser
    from speechnet.serve.request_filter import RequestFilter
    from speechnet.serve.run_summary import summarise_run
    from speechnet.serve.upload_handler import UploadHandler
    from speechnet.serve.uploads import Uploads, routes

    run = predictor.run
    choice = run.best()
    best = choice.model
    recogniser = UploadRecogniser(predictor, best=best, limits=limits, folder=folder)
    recogniser.rehearse()
    uploads = Uploads(limits)
    handler = UploadHandler(recogniser.recognise, uploads=uploads, limits=limits, best=best)
    blocks = build(handler.answer, summarise_run(run, best=choice), limits=limits)

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        yield
        handler.close()

    app = fastapi.FastAPI(routes=routes(uploads, limits), lifespan=lifespan, openapi_url=None)
    gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=limits.upload_bytes,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        theme=theme(),
        css=style(),
    )
    blocks.has_launched = True  # else Gradio takes any file of this machine for an upload
    functions = [key for key, function in blocks.fns.items() if function.fn is not None]
    return RequestFilter(app, host=host, upload_bytes=limits.upload_bytes, functions=functions)


def _run(app: RequestFilter, listener: socket.socket) -> None:
    """Serve until a signal, which is raised again afterwards."""
    import uvicorn

    from speechnet.serve.connections import Connection

    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.ERROR)  # that somebody sent what is no HTTP is not worth a word
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # nor a form that is none
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        http=Connection,
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
    )

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(f"The demo is at {url_of(listener)} (Ctrl-C ends it)", to=output)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            log.setLevel(logging.CRITICAL)  # requests that are broken off now are no fault
            await super().shutdown(sockets)

    asyncio.run(Announcing(config).serve(sockets=[listener]))
