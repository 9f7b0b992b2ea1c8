"""Times: between which instants they lie; nothing is made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.formats.times import NoZone, bounds, read_column
from tests.toys import refused

HERE = Path("measured.csv")


def span(text: str, zone: str | None = "UTC") -> tuple[str, str]:
    found = bounds(text, zone)
    assert found is not None
    return tuple(str(pd.Timestamp(edge, unit="us")) for edge in found)


def test_what_is_not_known_of_a_time_stays_open():
    assert span("2023") == ("2023-01-01 00:00:00", "2023-12-31 23:59:59.999999")
    assert span("2024-02") == ("2024-02-01 00:00:00", "2024-02-29 23:59:59.999999")
    assert span("2023-03-04") == ("2023-03-04 00:00:00", "2023-03-04 23:59:59.999999")
    assert span("2023-03-04 08:30") == ("2023-03-04 08:30:00", "2023-03-04 08:30:00")
    assert span("2023-03-04T08:30:01.5+02:00")[0] == "2023-03-04 06:30:01.500000"


def test_midnight_is_a_day():
    assert span("2023-03-04 00:00:00") == span("2023-03-04")


def test_days_are_those_of_the_hospital():
    assert span("2023-03-04", "Asia/Tokyo")[0] == "2023-03-03 15:00:00"
    # The day on which clocks change has 23 hours.
    low, high = bounds("2023-03-26", "Europe/Berlin")
    assert high - low + 1 == 23 * 3600 * 10**6


def test_an_hour_that_is_there_twice_may_be_either():
    low, high = bounds("2023-10-29 02:30:00", "Europe/Berlin")
    assert high - low == 3600 * 10**6


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12", "9999", "9999-12-31T23:30:00-05:00"])
def test_the_end_of_open_records_is_the_last_instant_of_all(text):
    assert span(text)[1] == "9999-12-31 23:59:59.999999"
    low, high = read_column(pd.Series([text], name="until"), "America/New_York", HERE)
    assert low.notna().all()
    assert high.notna().all()


@pytest.mark.parametrize(
    "text", ["20251001", "202510", "2023-13-01", "2023-02-29", "01.02.2023", "2023-3-4", "", "x"]
)
def test_what_is_no_date_of_iso_8601_is_none(text):
    """A library takes 20251001 for seconds since 1970."""
    assert bounds(text, "UTC") is None


@given(
    st.datetimes(datetime(1900, 1, 1, 0, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_offset_leaves_the_instant(moment, minutes):
    if moment.time() == datetime.min.time():
        return
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    if there.time() == datetime.min.time():
        return
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    assert bounds(there.isoformat(), None) == (expected, expected)


def test_a_time_without_zone_is_refused_by_row_and_shows_no_value():
    with pytest.raises(NoZone):
        bounds("2023-03-04 08:30", None)
    column = pd.Series(["2023-03-04T08:30:00Z", "2023-03-05"], index=[2, 3], name="seen")
    message = refused(lambda: read_column(column, None, HERE), "row 3, column seen", "time_zone")
    assert "2023-03-05" not in message
    wrong = pd.Series(["04.03.2023"], index=[2], name="seen")
    assert "04.03" not in refused(lambda: read_column(wrong, "UTC", HERE), "ISO 8601")
    refused(lambda: read_column(column, "Europe/Testville", HERE), "no time zone")
