"""The chat page, the owner's page and their files, out of the package, with validators so that a browser fetches each version once."""

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from shopfloor.errors import NotFoundError

PAGE_SUFFIXES = frozenset({".html", ".js", ".css", ".svg", ".png", ".ico", ".webp", ".woff2", ".webmanifest"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, held in memory: there are a handful, and they are small."""

    content: bytes
    media_type: str
    etag: str


def load_assets() -> dict[str, Asset]:
    """Read every page file of :mod:`shopfloor.web` by name."""
    assets: dict[str, Asset] = {}
    for entry in files("shopfloor.web").iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if entry.is_file() and suffix in PAGE_SUFFIXES:
            content = entry.read_bytes()
            kind = "text/javascript" if suffix == ".js" else mimetypes.guess_type(entry.name)[0]
            digest = hashlib.sha256(content).hexdigest()[:20]
            assets[entry.name] = Asset(content, kind or "application/octet-stream", f'"{digest}"')
    return assets


def page_routes() -> APIRouter:
    """The router of ``/``, ``/dashboard`` and ``/static``."""
    router = APIRouter(include_in_schema=False)
    assets = load_assets()

    @router.get("/")
    @router.head("/")
    async def page(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _serve(request, assets.get("index.html"))

    @router.get("/dashboard")
    @router.head("/dashboard")
    async def dashboard(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _serve(request, assets.get("dashboard.html"))

    @router.get("/favicon.ico")
    async def favicon(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _serve(request, assets.get("favicon.ico") or assets.get("favicon.svg"))

    @router.get("/static/{name}")
    @router.head("/static/{name}")
    async def static(request: Request, name: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _serve(request, assets.get(name))

    return router


def _serve(request: Request, asset: Asset | None) -> Response:
    if asset is None:
        raise NotFoundError("There is no such file.")
    # no-cache: kept, but asked about each time; an unchanged file costs one empty answer.
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
