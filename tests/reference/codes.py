"""Letters and numbers of the wire as people read them: exchanges, conditions, states, each with its source."""

from __future__ import annotations

from engine.core.events import Condition, Status

#: Participant letters of the two consolidated tapes, as Alpaca and Schwab send them. Sources: alpaca-py
#: ``alpaca/data/enums.py`` (Exchange), the ``participant_id`` and ``mic`` of Massive's /v3/reference/exchanges, the CTA
#: and UTP specifications' participant lists. D is FINRA: its display facility, or a report of a facility that no letter
#: tells. T is Nasdaq where Q is its listing market, S its former small-cap market; E and I, W are processors and gone.
EXCHANGES = {
    "A": "XASE",
    "B": "XBOS",
    "C": "XCIS",
    "D": "XADF",
    "G": "24EQ",
    "H": "EPRL",
    "J": "EDGA",
    "K": "EDGX",
    "L": "LTSE",
    "M": "XCHI",
    "N": "XNYS",
    "P": "ARCX",
    "Q": "XNAS",
    "S": "XNAS",
    "T": "XNAS",
    "U": "MEMX",
    "V": "IEXG",
    "X": "XPSX",
    "Y": "BATY",
    "Z": "BATS",
}

_AVERAGE = Condition.NO_LAST | Condition.NO_HIGH_LOW
_OFFICIAL = _AVERAGE | Condition.NO_VOLUME | Condition.AUCTION
_EXTENDED = _AVERAGE | Condition.EXTENDED_HOURS

#: Sale conditions of UTP by letter: the consolidated update rules (last, high and low, volume) of the UTDF and CTS
#: output specifications as Massive's condition list repeats them, and what our bits can say. Others say nothing.
SALES_UTP = {
    "C": _AVERAGE,  # cash
    "F": Condition.SWEEP,
    "G": Condition.NO_LAST,  # bunched sold
    "H": _AVERAGE,  # price variation
    "I": _AVERAGE | Condition.ODD_LOT,
    "M": _OFFICIAL,  # market center official close
    "N": _AVERAGE,  # next day
    "O": Condition.AUCTION,  # opening prints
    "P": Condition.NO_LAST,  # prior reference price
    "Q": _OFFICIAL,  # market center official open
    "R": _AVERAGE,  # seller
    "T": _EXTENDED,  # form T
    "U": _EXTENDED,  # form T, out of sequence
    "V": _AVERAGE,  # contingent
    "W": _AVERAGE,  # average price
    "Z": Condition.NO_LAST,  # out of sequence
    "4": Condition.NO_LAST,  # derivatively priced
    "5": Condition.AUCTION,  # reopening
    "6": Condition.AUCTION,  # closing
    "7": _AVERAGE | Condition.TRADE_THROUGH_EXEMPT,  # qualified contingent trade
    "8": Condition.TRADE_THROUGH_EXEMPT,  # placeholder for 611 exempt
    "9": Condition.NO_VOLUME,  # corrected consolidated close
}
#: The same of CTS, whose B is an average price where UTP's is a bunched trade.
SALES_CTA = SALES_UTP | {"B": _AVERAGE}

#: Quote conditions that are not firm: UQDF 7.5.2.2 (those without its asterisk, which stay out of the national best)
#: and CQS (closed, non-firm, halts and indications). F and U are fast trading and non-firm manual quotes at UTP, slow
#: but firm ones at CQS.
_HALTED = "DGIJKLMNPQSVXZ"
QUOTES_CTA = dict.fromkeys(_HALTED, Condition.NON_FIRM)
QUOTES_UTP = dict.fromkeys(_HALTED + "FU", Condition.NON_FIRM)

#: Finnhub's numbers of sale conditions (its documentation's list, "Trade Conditions"), with the bits of the same
#: conditions above. Recorded frames bear out 8 (sweep), 12 (odd lot) and 24 (form T, only outside hours).
SALES_FINNHUB = {
    3: _AVERAGE,  # average price
    5: _AVERAGE,  # cash
    8: Condition.SWEEP,
    9: Condition.NO_LAST,  # bunched sold
    10: _AVERAGE,  # price variation
    12: _AVERAGE | Condition.ODD_LOT,
    16: _OFFICIAL,  # market center official close
    17: _AVERAGE,  # next day
    18: Condition.AUCTION,  # market center opening trade
    19: Condition.AUCTION,  # opening prints
    20: _OFFICIAL,  # market center official open
    21: Condition.NO_LAST,  # prior reference price
    22: _AVERAGE,  # seller
    24: _EXTENDED,  # form T
    25: _EXTENDED,  # form T, out of sequence
    26: _AVERAGE,  # contingent
    27: _AVERAGE,  # stock option
    30: Condition.NO_LAST,  # out of sequence
    32: Condition.NO_LAST,  # derivatively priced
    33: Condition.AUCTION,  # market center reopening trade
    34: Condition.AUCTION,  # reopening prints
    35: Condition.AUCTION,  # market center closing trade
    36: Condition.AUCTION,  # closing prints
    37: _AVERAGE | Condition.TRADE_THROUGH_EXEMPT,  # qualified contingent trade
    38: Condition.TRADE_THROUGH_EXEMPT,  # placeholder for 611 exempt
    39: Condition.NO_VOLUME,  # corrected consolidated close
    41: Condition.TRADE_THROUGH_EXEMPT,
}

#: Alpaca's status codes (its real-time page, "Trading statuses"): 2 and 3 of CTA, letters of UTP. The others are no
#: state: indications, imbalances, and E and F, of which the message does not say whether they begin or end.
STATUSES = {
    "2": Status.HALTED,
    "3": Status.TRADING,
    "H": Status.HALTED,
    "P": Status.PAUSED,
    "Q": Status.QUOTE_ONLY,
    "T": Status.TRADING,
}

#: Schwab's field 32 (Streamer Guide, LEVELONE_EQUITIES).
SECURITY_STATUSES = {"Normal": Status.TRADING, "Halted": Status.HALTED, "Closed": Status.CLOSING_DONE}

#: Participants of Schwab's books that are exchanges, in lower case: those of the recorded fixture of schwab-py and
#: thinkorswim's four-letter codes. Any other id (market makers) is a venue of its own.
PARTICIPANTS = {
    "amex": "XASE",
    "arcx": "ARCX",
    "baty": "BATY",
    "batx": "BATS",
    "bats": "BATS",
    "bosx": "XBOS",
    "cinn": "XCIS",
    "chx": "XCHI",
    "edga": "EDGA",
    "edgx": "EDGX",
    "iex": "IEXG",
    "iexg": "IEXG",
    "ltse": "LTSE",
    "memx": "MEMX",
    "miax": "EPRL",
    "nsdq": "XNAS",
    "nyse": "XNYS",
    "phlx": "XPSX",
}
