"""Data sets of a profile that lack files which no run can fetch: what is done with the others.

A run refuses to start without them, by default: a table without a data set looks as whole as one with it, and whoever
asked for a profile would learn hours later that it is another one. With ``--config missing=leave`` it goes on, and its
tables say of what is not there that it was not measured. The target ``data`` prepares what can be had, and ends with
what the others lack.
"""

from __future__ import annotations

from dataclasses import replace

from workflows.ahead import supplies
from workflows.ahead.supplies import Stock
from workflows.configuration.config import SettingsError
from workflows.planning.plan import Plan

OPTION, REFUSE, LEAVE = "missing", "refuse", "leave"
OFFER = f"the run goes on with the data sets that are there by --config {OPTION}={LEAVE}; its tables name the others"


def leaves(asked: object) -> bool:
    """Return whether a run is to go on without data that are missing; raise `SettingsError` for another word."""
    if asked not in (None, REFUSE, LEAVE):
        raise SettingsError(f"--config {OPTION}: expected {REFUSE} or {LEAVE}, got {asked!r}")
    return asked == LEAVE


def unprepared(plan: Plan) -> list[str]:
    """Return the data sets of a plan that are still to be prepared."""
    return [name for name in plan.settings.prepared if not plan.layout.description(name).exists()]


def lacking(plan: Plan) -> list[Stock]:
    """Return the data sets that are still to be prepared, and cannot be: their files are missing, or wrong."""
    found = (supplies.stock_of(plan.settings, name, plan.layout) for name in unprepared(plan))
    return [stock for stock in found if stock.lack]


def obtainable(plan: Plan) -> list[str]:
    """Return the data sets of a plan that are prepared or can be, each file being there or one that a run fetches."""
    lost = {stock.name for stock in lacking(plan)}
    return [name for name in plan.settings.prepared if name not in lost]


def without(plan: Plan) -> Plan:
    """Return the plan without what lacks its data; raise `SettingsError` where nothing would be left of it.

    Data that are there and wrong stay, so that the run is refused.
    """
    found = {stock.name: stock.lack for stock in lacking(plan) if not stock.unfit}
    left = replace(plan, settings=replace(plan.settings, lacking=found))
    if found and not left.settings.runs:
        raise SettingsError(f"{OPTION}={LEAVE}: no data set of the profile is there; python -m workflows.show data")
    return left


def lines(plan: Plan) -> list[str]:
    """Return what is said at the end of ``data``: each data set that could not be prepared, as `show data` has it."""
    found = lacking(plan)
    if not found:
        return []
    count, of = len(found), len(plan.settings.prepared)
    blocks = [line for stock in found for line in ("", *supplies.short(stock, plan.settings))]
    ready = "the others are prepared" if count < of else "none is prepared"
    why = "" if any(stock.unfit for stock in found) else " for want of files"
    return [f"{count} of {of} data sets cannot be prepared{why}; {ready}", *blocks]
