"""A server that speaks the wire format of `hazardscribe serve` and does what a test tells it to.

The page's tests stand on this, so that they are quick and can make a server be slow, busy, away or
of another opinion. It keeps its ledger in memory.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI, Form, Header, Request, UploadFile
from fastapi.responses import JSONResponse, Response, StreamingResponse
from PIL import Image

from hazardscribe.errors import PhotoError
from hazardscribe.serving import schemas
from hazardscribe.serving.errors import ApiError, failure_body, photo_error
from hazardscribe.serving.routes.page import router

TOKEN = "inspector-token-0123456789"
ADMIN = "administrator-token-0123456789"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
CATEGORIES = ["个体防护", "临边洞口", "电气", "消防", "现场环境/物料堆放", "其他"]
TEXT = "画面左侧一名工人未戴安全帽"
MODEL = "site-ppe-zh@3f9c2a71"


@dataclass
class Saying:
    """What the fake model says of a photo."""

    text: str = TEXT
    draft: str | None = None
    alternatives: list[str] = field(default_factory=lambda: ["现场一名工人未佩戴安全帽"])
    confidence: float | None = 0.86
    doubt: str | None = None
    problem: str | None = None  # the code of a photo that cannot be read
    suggestions: tuple[tuple[str, float], ...] = (("个体防护", 0.9), ("作业行为", 0.1))
    measure: str = "立即停止作业，佩戴安全帽后方可上岗"


@dataclass
class Fake:
    """Knobs and records of the server.

    Attributes:
        sayings: by order of asking; the last one is used again and again.
        refusals: by path, answers (status, headers) to give first.
        failures: errors in which streams end first, after they have begun.
        steps: seconds between two words of a stream; hold: streams wait until it is set.
        language: that the model writes.
    """

    sayings: list[Saying] = field(default_factory=lambda: [Saying()])
    refusals: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    failures: list[ApiError] = field(default_factory=list)
    unusable: list[bytes] = field(default_factory=list)
    steps: float = 0.0
    hold: threading.Event | None = None
    open: bool = False
    language: str = "zh"
    findings: dict[str, schemas.Finding] = field(default_factory=dict)
    changes: dict[str, list[schemas.Change]] = field(default_factory=dict)
    photos: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    said: dict[str, Saying] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    described: list[list[bytes]] = field(default_factory=list)
    confirmed: list[tuple[dict[str, Any], list[bytes], str | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lose_answers: int = 0
    url: str = ""

    def saying(self) -> Saying:
        return self.sayings.pop(0) if len(self.sayings) > 1 else self.sayings[0]

    def add(self, **fields: Any) -> schemas.Finding:
        """Put a finding into the ledger, as if somebody had confirmed it."""
        number = len(self.findings) + 1
        now = datetime.now(UTC)
        values: dict[str, Any] = {
            "id": f"f{number}",
            "number": number,
            "version": 1,
            "text": TEXT,
            "ai_text": TEXT,
            "outcome": "accepted",
            "model": MODEL,
            "confidence": 0.86,
            "place": "3号楼北侧基坑",
            "category": "个体防护",
            "level": "一般",
            "measure": "",
            "responsible": "",
            "due": None,
            "found_on": date.today(),
            "status": "open",
            "photos": [],
            "confirmed_by": "张三",
            "created_at": now,
            "changed_at": now,
        }
        finding = schemas.Finding(**(values | fields))
        self.findings[finding.id] = finding
        self.changes[finding.id] = [schemas.Change(version=1, at=now, by="张三", fields={})]
        return finding

    def change(self, id: str, by: str = "李四", **fields: Any) -> schemas.Finding:
        """Change a finding, as if somebody else had."""
        before = self.findings[id]
        after = before.model_copy(
            update=fields | {"version": before.version + 1, "changed_at": datetime.now(UTC)}
        )
        plain = {
            name: (str(getattr(before, name) or ""), str(value or ""))
            for name, value in fields.items()
        }
        self.changes[id].append(
            schemas.Change(version=after.version, at=after.changed_at, by=by, fields=plain)
        )
        self.findings[id] = after
        return after

    def store_photo(self, content: bytes) -> str:
        id = f"p{len(self.photos) + 1}"
        self.photos[id] = content
        return id


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    answer = schemas.ErrorAnswer(
        error=schemas.Error(code=code, message=message, request_id="r-fake")
    )
    return JSONResponse(answer.model_dump(), status, headers)


def _descriptions(fake: Fake, count: int, together: bool) -> tuple[schemas.Descriptions, list[str]]:
    descriptions, drafts = [], []
    for i in range(count):
        saying = fake.saying()
        id = f"d{len(fake.said) + 1}"
        fake.said[id] = saying
        draft = saying.draft or saying.text
        drafts.append(draft)
        suggestions = [schemas.Suggestion(category=c, share=s) for c, s in saying.suggestions]
        descriptions.append(
            schemas.PhotoDescription(
                id=None if saying.problem else id,
                photo=i,
                text="" if saying.problem else saying.text,
                draft="" if saying.problem else draft,
                alternatives=saying.alternatives,
                confidence=saying.confidence,
                doubt=saying.doubt,
                suggestions=suggestions,
                similar=[
                    schemas.PastCase(
                        text="现场一名作业人员未戴安全帽",
                        similarity=0.91,
                        category="个体防护",
                        place="2号楼南侧",
                        date="2026-09-14",
                        measure=saying.measure,
                    )
                ],
                problem=schemas.PhotoProblem(code=saying.problem, message="从服务器来的说明")
                if saying.problem
                else None,
            )
        )
    if together:
        text = "；".join(dict.fromkeys(one.text for one in descriptions if one.text))
        findings = [
            schemas.FindingDraft(
                photos=list(range(count)), text=text, suggestions=descriptions[0].suggestions
            )
        ]
    else:
        findings = [schemas.FindingDraft(photos=[one.photo], text=one.text) for one in descriptions]
    answer = schemas.Descriptions(
        request_id="r-fake",
        model=MODEL,
        descriptions=descriptions,
        findings=findings,
        timings=schemas.Timings(waiting=0, describing=0, total=0),
    )
    return answer, drafts


def make_app(fake: Fake) -> FastAPI:
    app = FastAPI()
    app.include_router(router)

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        path = request.url.path
        fake.asked.append(f"{request.method} {path}")
        request.state.request_id = "r-fake"
        response: Response | None = None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if path.startswith("/v1/"):
            waiting = fake.refusals.get(path)
            if not fake.open and token not in (TOKEN, ADMIN):
                response = _error(401, "unauthorised", "口令无效，请重新输入")
            elif waiting:
                status, headers = waiting.pop(0)
                response = _error(status, "busy", "服务器正忙，请稍候", headers)
        request.state.admin = fake.open or token == ADMIN
        if response is None:
            response = await call_next(request)
        response.headers["Content-Security-Policy"] = CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/v1/session")
    def session(request: Request) -> schemas.Session:
        return schemas.Session(
            name="李主任" if request.state.admin and not fake.open else "张三",
            role="admin" if request.state.admin else "inspector",
            language=fake.language,
            model=MODEL,
            version="0.1.0",
            categories=CATEGORIES,
            limits=schemas.Limits(
                max_photos=20, max_photo_bytes=20 << 20, max_request_bytes=100 << 20
            ),
        )

    @app.post("/v1/describe")
    async def describe(
        request: Request, photos: list[UploadFile], together: bool = Form(False)
    ) -> Response:
        fake.described.append([await photo.read() for photo in photos])
        answer, drafts = _descriptions(fake, len(photos), together)

        async def events() -> Any:
            def event(**fields: Any) -> str:
                return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n"

            yield event(event="waiting", position=1)
            if fake.failures:
                yield event(event="error", **failure_body(fake.failures.pop(0), request.scope))
                return
            bad = [one.problem for one in answer.descriptions]
            fake.unusable += [p for p, one in zip(fake.described[-1], bad, strict=True) if one]
            if all(bad):  # as the server does
                error = photo_error(PhotoError(bad[0].code, "as the test wants it"))
                yield event(event="error", **failure_body(error, request.scope))
                return
            for photo, draft in enumerate(drafts):
                for end in range(2, len(draft) + 2, 2):
                    yield event(event="text", photo=photo, text=draft[:end])
                    await asyncio.sleep(fake.steps)
                    while fake.hold and end >= len(draft) // 2 and not fake.hold.is_set():
                        await asyncio.sleep(0.01)
            yield event(event="result", **answer.model_dump(mode="json"))

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/v1/descriptions/{id}/reject", status_code=204)
    def reject(id: str) -> None:
        fake.rejected.append(id)

    @app.post("/v1/findings", status_code=201)
    async def confirm(
        finding: str = Form(),
        photos: list[UploadFile] | None = None,
        idempotency_key: str | None = Header(None),
    ) -> Response:
        new = schemas.NewFinding.model_validate_json(finding)
        contents = [await photo.read() for photo in photos or []]
        if any(content in fake.unusable for content in contents):
            return _error(422, "damaged", "照片无法使用。")
        fake.confirmed.append((new.model_dump(mode="json"), contents, idempotency_key))
        if idempotency_key in fake.keys:
            kept = fake.findings[fake.keys[idempotency_key]]
            return JSONResponse(kept.model_dump(mode="json"), 200)
        sayings = [fake.said[id] for id in new.description_ids]
        ai_text = "；".join(dict.fromkeys(one.text for one in sayings)) or None
        outcome = "written" if ai_text is None else "accepted" if ai_text == new.text else "edited"
        kept = fake.add(
            **new.model_dump(exclude={"description_ids", "found_on"}),
            ai_text=ai_text,
            outcome=outcome,
            photos=[fake.store_photo(content) for content in contents],
        )
        if idempotency_key:
            fake.keys[idempotency_key] = kept.id
        if fake.lose_answers:
            fake.lose_answers -= 1
            return _error(502, "bad_gateway", "网关没有收到回答")
        return JSONResponse(kept.model_dump(mode="json"), 201)

    @app.get("/v1/findings")
    def findings(
        q: str = "",
        category: str = "",
        level: str = "",
        status: str = "",
        outcome: str = "",
        place: str = "",
        cursor: int = 0,
        limit: int = 50,
    ) -> schemas.Findings:
        exact = {"category": category, "level": level, "status": status, "outcome": outcome}
        fits = [
            one
            for one in sorted(fake.findings.values(), key=lambda one: -one.number)
            if q in one.text + one.place
            and place in one.place
            and all(not value or getattr(one, name) == value for name, value in exact.items())
        ]
        limit = min(limit, 20)  # so that a test needs few records to see a second page
        rest = fits[cursor + limit :]
        return schemas.Findings(
            items=fits[cursor : cursor + limit],
            total=len(fits),
            next=str(cursor + limit) if rest else None,
        )

    @app.get("/v1/findings/{id}")
    def finding(id: str) -> Response:
        if id not in fake.findings:
            return _error(404, "not_found", "台账中没有这条记录")
        return JSONResponse(fake.findings[id].model_dump(mode="json"))

    @app.get("/v1/findings/{id}/history")
    def history(id: str) -> schemas.History:
        return schemas.History(changes=fake.changes[id])

    @app.patch("/v1/findings/{id}")
    def change(id: str, change: schemas.FindingChange, if_match: str = Header()) -> Response:
        current = fake.findings[id]
        if if_match != f'"{current.version}"':
            error = {"code": "edit_conflict", "message": "已被修改", "request_id": "r-fake"}
            body = {"error": error, "current": current.model_dump(mode="json")}
            return JSONResponse(body, 412)
        after = fake.change(id, by="张三", **change.model_dump(exclude_unset=True))
        return JSONResponse(after.model_dump(mode="json"))

    @app.delete("/v1/findings/{id}", status_code=204)
    def delete(id: str, request: Request) -> Response:
        if not request.state.admin:
            return _error(403, "forbidden", "只有管理员可以删除")
        del fake.findings[id]
        return Response(status_code=204)

    @app.get("/v1/photos/{id}")
    def photo(id: str, size: str = "full") -> Response:
        return Response(fake.photos[id], media_type="image/jpeg")

    @app.get("/v1/export")
    def export(to: str) -> Response:
        name = "ledger.xlsx" if to == "xlsx" else "pairs.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(b"exported", headers=headers, media_type="application/octet-stream")

    @app.get("/v1/dashboard")
    def dashboard(weeks: int = 12) -> schemas.Dashboard:
        monday = date.today() - timedelta(days=date.today().weekday())
        return schemas.Dashboard(
            weeks=[
                schemas.WeekCounts(
                    week=monday - timedelta(weeks=5 - i),
                    accepted=12 + 5 * i,
                    edited=14 - i,
                    written=max(0, 6 - i),
                    rejected=7 - i,
                )
                for i in range(6)
            ],
            categories=[
                schemas.CategoryCounts(
                    category=name, accepted=60 - 9 * i, edited=18 - 2 * i, written=i, rejected=4
                )
                for i, name in enumerate(CATEGORIES)
            ],
            models=[
                schemas.ModelCounts(model=MODEL, accepted=118, edited=40, written=0, rejected=19),
                schemas.ModelCounts(
                    model="site-ppe-zh@91b07e55", accepted=29, edited=29, written=0, rejected=8
                ),
            ],
        )

    return app


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """The fake on a free port of this machine."""
    config = uvicorn.Config(make_app(fake), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the fake server did not start")
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    fake.url = f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        if fake.hold:
            fake.hold.set()
        server.should_exit = True
        thread.join(10)


def jpeg(width: int = 320, height: int = 240, shade: int = 120) -> bytes:
    """A photo."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 140, 160)).save(buffer, format="JPEG")
    return buffer.getvalue()
