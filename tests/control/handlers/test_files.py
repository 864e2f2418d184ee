"""file.process: open files in, a document and a WAV out, and no descriptor left behind."""

import asyncio
import os
import resource
import signal
import socket

import pytest

from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage, Turn
from voicebotd.control.handlers.files import AT_ONCE
from voicebotd.errors import AudioError, RealtimeError

pytestmark = pytest.mark.asyncio

SOUND = b"what the loudspeaker would have played"
DOCUMENT = FileDocument(
    conversation_id="c1",
    turns=[Turn(item_id="i", number=1, role="user", text="Hello", heard_text="Hello")],
    tool_calls=[],
    usage=TokenUsage(),
    timings=FileTimings(input_ms=1000, output_ms=2000, elapsed_s=3.0),
)


class Processor:
    """Takes the part of the conversation with a file: reads the file, writes the output, notes what it was asked."""

    def __init__(self) -> None:
        self.read = b""
        self.pace: str | None = None
        self.output: str | None = None
        self.error: Exception | None = None
        self.running = 0
        self.cancelled = 0
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self, source: int, output: str | None, pace: str | None) -> FileDocument:
        self.running += 1
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error
        self.read, self.output, self.pace = os.pread(source, 1000, 0), output, pace
        if output is not None:
            with open(output, "wb") as file:
                file.write(SOUND)
        return DOCUMENT


@pytest.fixture
def processor():
    return Processor()


@pytest.fixture
def visitor(tmp_path):
    path = tmp_path / "visitor.wav"
    path.write_bytes(b"a visitor's voice")
    return path


def opened(path, flags=os.O_RDONLY):
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def descriptors():
    return set(os.listdir("/proc/self/fd"))


async def test_the_open_file_is_processed_and_its_document_answered(open_box, processor, visitor):
    async with open_box(process_file=processor) as box:
        before = descriptors()
        answer = await box.call("file.process", fds=[opened(visitor)])
        assert descriptors() == before
    assert processor.read == b"a visitor's voice"
    assert (processor.output, processor.pace) == (None, None)
    assert answer["turns"][0]["text"] == "Hello"
    assert answer["conversation_id"] == "c1"
    assert answer["timings"]["output_ms"] == 2000


async def test_the_output_goes_into_the_second_file(open_box, processor, visitor, tmp_path):
    heard = tmp_path / "heard.wav"
    async with open_box(process_file=processor) as box:
        before = descriptors()
        await box.call("file.process", fds=[opened(visitor), opened(heard, os.O_WRONLY | os.O_CREAT)], pace="fast")
        assert descriptors() == before
    assert heard.read_bytes() == SOUND
    assert processor.pace == "fast"
    assert processor.output is not None
    assert not os.path.exists(processor.output), "what was written on the way is gone"


async def test_without_a_file_it_says_how_one_comes(open_box, processor, fakes):
    async with open_box(process_file=processor) as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("file.process")
    assert (refused.value.code, refused.value.kind) == (1009, "file.unreadable")
    assert "SCM_RIGHTS" in refused.value.hint


async def test_a_file_that_is_no_audio_is_refused_in_the_words_of_who_looked(open_box, processor, visitor, fakes):
    processor.error = AudioError("descriptor 7: is not audio that can be read", hint="use WAV, FLAC, OGG or MP3")
    async with open_box(process_file=processor) as box:
        before = descriptors()
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("file.process", fds=[opened(visitor)])
        assert descriptors() == before
    assert refused.value.kind == "file.unreadable"
    assert "not audio" in refused.value.message
    assert "FLAC" in refused.value.hint


async def test_a_link_that_is_lost_on_the_way_is_told(open_box, processor, visitor, fakes):
    processor.error = RealtimeError("no network", hint="plug in the cable")
    async with open_box(process_file=processor) as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("file.process", fds=[opened(visitor)])
    assert (refused.value.kind, refused.value.hint) == ("link.unavailable", "plug in the cable")


@pytest.mark.parametrize("what", ["pipe", "socket", "directory"])
async def test_what_could_block_for_ever_is_no_file_to_process(open_box, processor, fakes, what, tmp_path):
    if what == "pipe":
        given, other = os.pipe()
    elif what == "socket":
        ours, theirs = socket.socketpair()
        given, other = ours.detach(), theirs.detach()
    else:
        given, other = opened(tmp_path), opened(tmp_path)
    async with open_box(process_file=processor) as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("file.process", fds=[given])
    os.close(other)
    assert refused.value.kind == "file.unreadable"
    assert "regular file" in refused.value.message


async def test_an_output_that_cannot_be_written_is_refused_before_anything_is_processed(
    open_box, processor, visitor, fakes
):
    reading, writing = os.pipe()
    async with open_box(process_file=processor) as box:
        for target in (opened(visitor), writing):
            with pytest.raises(fakes.RefusedError) as refused:
                await box.call("file.process", fds=[opened(visitor), target])
            assert (refused.value.code, refused.value.kind) == (1014, "file.unwritable")
    os.close(reading)
    assert processor.read == b""


async def test_a_disk_that_is_full_is_told(open_box, processor, visitor, fakes):
    # /dev/full is no regular file, so the limit on a file's size takes its part.
    target = visitor.with_name("heard.wav")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    real_call = processor.__call__

    async def process(source, output, pace):
        document = await real_call(source, output, pace)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, before[1]))
        return document

    try:
        async with open_box(process_file=process) as box:
            with pytest.raises(fakes.RefusedError) as refused:
                await box.call("file.process", fds=[opened(visitor), opened(target, os.O_WRONLY | os.O_CREAT)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.kind == "file.unwritable"
    assert "too large" in refused.value.message


async def test_only_so_many_files_are_processed_at_once(open_box, processor, visitor, fakes):
    processor.release.clear()
    async with open_box(process_file=processor) as box:
        under_way = [asyncio.create_task(box.call("file.process", fds=[opened(visitor)])) for _ in range(AT_ONCE)]
        await box.until(lambda: processor.running == AT_ONCE)
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("file.process", fds=[opened(visitor)])
        processor.release.set()
        await asyncio.gather(*under_way)
        await box.call("file.process", fds=[opened(visitor)])
    assert (refused.value.kind, refused.value.retryable) == ("rpc.overloaded", True)


async def test_a_client_that_hangs_up_ends_the_processing_and_nothing_stays_open(
    open_box, processor, visitor, tmp_path
):
    processor.release.clear()
    async with open_box(process_file=processor) as box:
        before = descriptors()
        files = [opened(visitor), opened(tmp_path / "heard.wav", os.O_WRONLY | os.O_CREAT)]
        asking = asyncio.create_task(box.call("file.process", fds=files))
        await box.until(lambda: processor.running == 1)
        asking.cancel()
        await asyncio.wait({asking})
        assert descriptors() == before
    assert processor.cancelled == 1
