"""usage.get: what was used and what it cost, day by day and model by model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from datetime import time as time_of_day

from voicebotd.assembly import tariff_of
from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import UsageParams
from voicebotd.control.contract_results import ModelUsage, UsageDay, UsageReport
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.handlers.status import usage_status
from voicebotd.conversation.budget import REHEARSED, usd
from voicebotd.realtime.pricing import PriceList
from voicebotd.store.usage import DayUsage


def usage_handlers(box: Box) -> dict[str, Handler]:
    """Return the handler of the method, for the `Dispatcher`."""

    async def get(params: UsageParams, _caller: Caller) -> UsageReport:
        settings = box.tuning.loaded.settings
        today = datetime.fromtimestamp(time.time()).astimezone().date()
        days = [today - timedelta(days=back) for back in reversed(range(params.days))]
        used = await box.usage.by_day(datetime.combine(days[0], time_of_day.min).timestamp())
        prices = tariff_of(settings)
        return UsageReport(
            days=[_day(day.isoformat(), used, prices) for day in days],
            status=usage_status(box.manager.snapshot().spending),
            daily_cap_usd=settings.budget.daily_usd,
            session_cap_usd=settings.budget.session_usd,
        )

    return {"usage.get": get}


def _day(day: str, used: Iterable[DayUsage], prices: PriceList) -> UsageDay:
    """What was only rehearsed is shown, and costs nothing."""
    models = [each for each in used if each.day == day]
    paid = sum(each.nano_usd for each in models if not each.model.startswith(REHEARSED))
    return UsageDay(date=day, usd=usd(paid), models=[_model(each, prices) for each in models])


def _model(used: DayUsage, prices: PriceList) -> ModelUsage:
    return ModelUsage(
        model=used.model,
        kind=used.kind,
        count=used.count,
        priced=prices.price_of(used.model.removeprefix(REHEARSED)) is not None,
        input_text=used.input_text,
        input_audio=used.input_audio,
        cached_text=used.cached_text,
        cached_audio=used.cached_audio,
        output_text=used.output_text,
        output_audio=used.output_audio,
        audio_s=round(used.audio_s, 3),
        usd=usd(used.nano_usd),
    )
