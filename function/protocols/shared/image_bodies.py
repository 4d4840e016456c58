"""Images that are a request's body, or files of a form: rows of a model of one image."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from onnxlet.function import deadline
from onnxlet.function.errors import MalformedRequest, RequestTooLarge, UnsupportedMedia
from onnxlet.function.messages import PredictRequest

if TYPE_CHECKING:
    from onnxlet.function.inputs.signature import Signature
    from onnxlet.function.messages import Request

FORM = "multipart/form-data"
# What an image says that it is changes nothing: its first bytes do.
TYPES = (
    "image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif", "image/bmp",
    "image/x-ms-bmp", "image/tiff", "application/x-image",
)  # fmt: skip
PARSED_AT_ONCE = 2**16  # bytes, by Werkzeug's parser
# Bytes of a form's other fields, and of a part's headers. Several times what the parser reads at
# once: it counts the bytes of files that it has not handed on, too.
MOST_TEXT = 300_000
READ = "Send Content-Type: image/png, image/jpeg, image/webp, image/gif, image/bmp or image/tiff."


def decode(request: Request) -> PredictRequest:
    """One row of an image, or a row of each file of a form; its field `model` names the model.

    Raises UnsupportedMedia for a kind of image that is not read; MalformedRequest where the body is
    empty, or no form, or one without files; RequestTooLarge where the form has too many files, or
    too much text.
    """
    if not request.body:
        raise MalformedRequest("the body is empty", "Send the image's bytes: --data-binary @FILE")
    if request.media_type != FORM:
        if request.media_type not in TYPES:
            raise UnsupportedMedia(
                f"media type '{request.media_type[:100]}' is not read here", READ
            )
        return PredictRequest([[request.body]], images=True)
    files, fields = _parsed(request)
    unknown = sorted(fields.keys() - {"model"})
    if unknown or not files:
        got = f"the fields {unknown[:8]!r:.200}" if unknown else "none"
        raise MalformedRequest(
            f"expected a form of files, got {got}", "Send a form's file: curl -F file=@FILE"
        )
    request.check_rows(len(files))
    rows = [[content] for content in files]
    return PredictRequest(rows, model=fields.get("model"), images=True)


def _parsed(request: Request) -> tuple[list[bytes], dict[str, str]]:
    from werkzeug.exceptions import RequestEntityTooLarge
    from werkzeug.formparser import FormDataParser

    def in_memory(*args: Any, **kwargs: Any) -> BytesIO:
        return BytesIO()  # the body is there already, and within its limit

    most = min(request.most_rows, 10**6) + 2  # parts: one more file than rows, and `model`
    parser = FormDataParser(in_memory, MOST_TEXT, silent=False, max_form_parts=most)
    size, parameters = len(request.body), dict(request.parameters)
    try:
        body = BytesIO(request.body)
        content = deadline.Blocks(iter(partial(body.read, PARSED_AT_ONCE), b""))
        _, fields, files = parser.parse(cast(BinaryIO, content), FORM, size, parameters)
    except RequestEntityTooLarge as error:
        raise RequestTooLarge(
            f"the form has more than {request.most_rows} files, or more than {MOST_TEXT} bytes of "
            "other fields",
            "Send them in several requests.",
        ) from error
    except ValueError as error:
        raise MalformedRequest(f"the body is no {FORM} of its boundary") from error
    contents = [file.read() for _, values in files.lists() for file in values]
    return contents, fields.to_dict()


def named(request: PredictRequest, signature: Signature) -> PredictRequest:
    """The request with its images as values of the model's only column.

    Raises UnsupportedMedia where the model takes no image, or more than one image.
    """
    required = [column for column in signature.columns if column.required]
    if len(required) == 1 and required[0].image:
        return request._replace(names=[required[0].name])
    names = [column.name for column in required]
    images = [column.name for column in required if column.image]
    takes = f"takes {len(names)} columns" if images else "takes no image"
    shown = ", ".join(names[:8]) + ("…" if len(names) > 8 else "")
    way = f" with the image of '{images[0]}' in base64" if images else ""
    raise UnsupportedMedia(
        f"expected rows, got an image, and the model {takes}: {shown}",
        f'Send Content-Type: application/json, {{"instances": [...]}}{way}.',
    )
