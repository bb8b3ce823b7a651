"""What a child's executions come to, from all that was ever told of them, in whatever order: the twin of a ledger."""

from engine.core.trading import Report, ReportKind

__all__ = ["executions"]


def executions(reports: list[Report]) -> dict[str, tuple[int, int]]:
    """Quantity and price of each execution that counts: told at least once, not busted, as last corrected.

    A correction of the same execution with a later stamp wins; without ids of their own, two equal fills are one.
    """
    gone = {report.reference for report in reports if report.kind is ReportKind.BUST}
    found: dict[str, tuple[int, int]] = {}
    stamps: dict[str, int] = {}
    for report in reports:
        if report.kind is ReportKind.FILL and report.quantity > 0:
            found.setdefault(report.execution_id, (report.quantity, report.price))
        elif report.kind is ReportKind.CORRECTION and report.ts_event > stamps.get(report.reference, -1):
            stamps[report.reference] = report.ts_event
    for report in reports:
        if report.kind is ReportKind.CORRECTION and report.ts_event == stamps[report.reference]:
            found[report.reference] = (report.quantity, report.price)
    return {name: one for name, one in found.items() if name not in gone and one[0] > 0}
