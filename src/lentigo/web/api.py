"""The interface for programs; its answers are those of ``lentigo predict --json``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lentigo.deploy.bundle import BundleInfo
from lentigo.web.bodies import parts_of, received
from lentigo.web.camera.capture import State
from lentigo.web.metrics import CONTENT_TYPE
from lentigo.web.refusals import Refusal
from lentigo.web.results import keep_if_asked
from lentigo.web.server import server_of

router = APIRouter()
NAME = "image"


class Point(BaseModel):
    """The malignant probability held against one operating point."""

    name: str
    target_sensitivity: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)
    above: bool


class Answer(BaseModel):
    """One element of what ``lentigo predict --json`` prints."""

    model_config = ConfigDict(extra="allow")

    image: str = Field(description="What the photo was called.")
    top: str = Field(description="Code of the most probable class.")
    probability: dict[str, float] = Field(description="Calibrated, by class code; sums to 1.")
    malignant_probability: float | None = Field(description="Of all malignant classes together.")
    operating_points: list[Point]
    warnings: list[str] = Field(description="What about the photo makes the answer doubtful.")
    leaky: bool = Field(description="The protocol of its training flatters the model's figures.")
    notice: str


class Problem(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="One sentence.")
    reason: str = Field(description="What exactly, where more can be said; else empty.")


class Health(BaseModel):
    """That the server answers."""

    status: str
    model: str


_PHOTO = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": _PHOTO,
        "image/jpeg": _PHOTO,
        "image/png": _PHOTO,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"photo": {"type": "string", "format": "binary"}},
                "required": ["photo"],
            }
        },
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A malformed form, or a foreign host name."},
    401: {"model": Problem, "description": "An access code is asked for."},
    403: {"model": Problem, "description": "The request came from another page."},
    408: {"model": Problem, "description": "The photo took too long to arrive."},
    413: {"model": Problem, "description": "Too many bytes or pixels."},
    415: {"model": Problem, "description": "Not an image, whatever it calls itself."},
    422: {"model": Problem, "description": "A damaged or animated image."},
    429: {"model": Problem, "description": "Too many requests from this address."},
    503: {"model": Problem, "description": "Busy; `Retry-After` says when to come again."},
}
_CODE = HTTPBearer(
    scheme_name="code",
    description="The access code, where the server was started with `--code`.",
    auto_error=False,  # the door asks for it, before any route
)
_ASKED: dict[str, Any] = {"dependencies": [Security(_CODE)]}
# Without --code nobody is asked for one.
_OPTIONAL: dict[str, Any] = {"security": [{}]}


def _refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Some of the refusals, as JSON whatever the route answers otherwise."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described = {each: _REFUSALS[each]["description"] for each in statuses}
    return {each: {"description": said, "content": content} for each, said in described.items()}


_BEHIND_THE_DOOR: dict[str, Any] = {
    "responses": _refused(400, 401, 429, 503),
    "openapi_extra": _OPTIONAL,
    **_ASKED,
}


@router.post(
    "/api/v1/predict",
    response_model=Answer,
    responses=_REFUSALS,
    openapi_extra={"requestBody": _BODY, **_OPTIONAL},
    tags=["predict"],
    **_ASKED,
)
async def predict(request: Request) -> Response:
    """What the model sees in one photo: its bytes, or a form with the field ``photo``."""
    server = server_of(request)
    async with received(request, server.settings.limits, server.bodies) as body:
        content_type = request.headers.get("content-type", "")
        name, content = NAME, body
        if content_type.lower().startswith("multipart/"):
            fields = parts_of(body, content_type)
            photo = next((each for each in fields if each.name == "photo"), None)
            if photo is None:
                raise Refusal(400, "problem.no_photo", reason="The form has no field 'photo'.")
            name, content = photo.filename or NAME, photo.content
        prediction = await server.desk.predict(content, name)
        await keep_if_asked(server, content, prediction)
        return JSONResponse(prediction.to_dict())


@router.get("/api/v1/model", response_model=BundleInfo, tags=["model"], **_BEHIND_THE_DOOR)
async def model(request: Request) -> Response:
    """What the bundle says about itself: classes, thresholds, figures, limits, licence."""
    return JSONResponse(server_of(request).desk.info.model_dump(mode="json"))


@router.get("/healthz", response_model=Health, responses=_refused(400, 503), tags=["operation"])
async def health(request: Request) -> Response:
    """Whether the server answers, and with which model."""
    return JSONResponse({"status": "ok", "model": server_of(request).desk.info.name})


@router.get("/metrics", response_class=PlainTextResponse, tags=["operation"], **_BEHIND_THE_DOOR)
async def metrics(request: Request) -> Response:
    """Counts for Prometheus."""
    server = server_of(request)
    camera = None if server.capture is None else server.capture.state is State.LIVE
    text = server.metrics.text(waiting=server.desk.waiting, camera=camera)
    return Response(text, media_type=CONTENT_TYPE)
