#include "wire/letters.hpp"

#include <cstring>

#include "wire/tables.hpp"

namespace tf::wire {

namespace {

struct Exchange {
    char letter;
    const char* venue;
};

// Participant letters: alpaca-py alpaca/data/enums.py (Exchange), `participant_id` and `mic` of Massive's
// /v3/reference/exchanges, the CTA and UTP output specifications. D is FINRA: its display facility, or a report of a
// facility that no letter tells. T is Nasdaq where Q is its listing market, S its former small-cap market.
constexpr Exchange EXCHANGES[] = {
    {'A', "XASE"}, {'B', "XBOS"}, {'C', "XCIS"}, {'D', "XADF"}, {'G', "24EQ"}, {'H', "EPRL"}, {'J', "EDGA"},
    {'K', "EDGX"}, {'L', "LTSE"}, {'M', "XCHI"}, {'N', "XNYS"}, {'P', "ARCX"}, {'Q', "XNAS"}, {'S', "XNAS"},
    {'T', "XNAS"}, {'U', "MEMX"}, {'V', "IEXG"}, {'X', "XPSX"}, {'Y', "BATY"}, {'Z', "BATS"},
};

struct Sale {
    char utp;         // letter of UTP, 0 if there is none
    char cta;         // letter of CTS
    uint8_t finnhub;  // number
    uint32_t bits;
};

constexpr uint32_t NO_PRICE = NO_LAST | NO_HIGH_LOW;
constexpr uint32_t OFFICIAL = NO_PRICE | NO_VOLUME | AUCTION;

// Letters: the UTDF and CTS output specifications; what each keeps from being updated: the "consolidated" columns of their
// sale condition matrices (see POLYGON_TRADES). Numbers: "Trade Conditions" of Finnhub's documentation; recorded frames
// bear out 8 (sweep), 12 (odd lot) and 24 (form T).
constexpr Sale SALES[] = {
    {'W', 'B', 3, NO_PRICE},                          // average price
    {'C', 'C', 5, NO_PRICE},                          // cash
    {'F', 'F', 8, SWEEP},                             // intermarket sweep
    {'G', 'G', 9, NO_LAST},                           // bunched sold
    {'H', 'H', 10, NO_PRICE},                         // price variation
    {'I', 'I', 12, NO_PRICE | ODD_LOT},               // odd lot
    {'M', 'M', 16, OFFICIAL},                         // market center official close
    {'N', 'N', 17, NO_PRICE},                         // next day
    {0, 0, 18, AUCTION},                              // market center opening trade
    {'O', 'O', 19, AUCTION},                          // opening prints
    {'Q', 'Q', 20, OFFICIAL},                         // market center official open
    {'P', 'P', 21, NO_LAST},                          // prior reference price
    {'R', 'R', 22, NO_PRICE},                         // seller
    {'T', 'T', 24, NO_PRICE | EXTENDED_HOURS},        // form T
    {'U', 'U', 25, NO_PRICE | EXTENDED_HOURS},        // extended hours, out of sequence
    {'V', 'V', 26, NO_PRICE},                         // contingent
    {0, 0, 27, NO_PRICE},                             // stock option
    {'Z', 'Z', 30, NO_LAST},                          // out of sequence
    {'4', '4', 32, NO_LAST},                          // derivatively priced
    {0, 0, 33, AUCTION},                              // market center reopening trade
    {'5', '5', 34, AUCTION},                          // reopening prints
    {0, 0, 35, AUCTION},                              // market center closing trade
    {'6', '6', 36, AUCTION},                          // closing prints
    {'7', '7', 37, NO_PRICE | TRADE_THROUGH_EXEMPT},  // qualified contingent trade
    {'8', '8', 38, TRADE_THROUGH_EXEMPT},             // placeholder for 611 exempt
    {'9', '9', 39, NO_VOLUME},                        // corrected consolidated close
    {0, 0, 41, TRADE_THROUGH_EXEMPT},                 // trade through exempt
    {0, 'W', 0, NO_PRICE},                            // average price, as some pass it on for either tape
};

// Quote conditions that are not firm: UQDF 7.5.2.2 (what has no asterisk there stays out of the national best) and CQS
// (closed, non-firm, halts and indications). F and U are fast trading and non-firm manual quotes at UTP, slow but firm
// ones at CQS.
constexpr char NOT_FIRM[] = "DGIJKLMNPQSVXZ";
constexpr char NOT_FIRM_UTP[] = "FU";

struct State {
    char code;
    Status status;
};

// Alpaca, real-time page, "Trading statuses": 2 and 3 of CTA, letters of UTP. The others are no state: indications,
// imbalances, and E and F, of which the message does not say whether something begins or ends.
constexpr State STATES[] = {
    {'2', Status::HALTED}, {'3', Status::TRADING},    {'H', Status::HALTED},
    {'P', Status::PAUSED}, {'Q', Status::QUOTE_ONLY}, {'T', Status::TRADING},
};

constexpr LetterTables letters() {
    LetterTables tables{};
    for (const Exchange& exchange : EXCHANGES) {
        tables.venues[static_cast<size_t>(exchange.letter)] = venue_number(exchange.venue);
    }
    for (const Sale& sale : SALES) {
        tables.sales[UTP][static_cast<size_t>(sale.utp)] = sale.bits;
        tables.sales[CTA][static_cast<size_t>(sale.cta)] = sale.bits;
        tables.finnhub[sale.finnhub] = sale.bits;
    }
    tables.sales[UTP][0] = tables.sales[CTA][0] = tables.finnhub[0] = 0;
    for (const char* letter = NOT_FIRM; *letter != 0; ++letter) {
        tables.quotes[CTA][static_cast<size_t>(*letter)] = NON_FIRM;
        tables.quotes[UTP][static_cast<size_t>(*letter)] = NON_FIRM;
    }
    for (const char* letter = NOT_FIRM_UTP; *letter != 0; ++letter) {
        tables.quotes[UTP][static_cast<size_t>(*letter)] = NON_FIRM;
    }
    for (const State& state : STATES) tables.statuses[static_cast<size_t>(state.code)] = state.status;
    return tables;
}

struct Participant {
    const char* name;  // lower case
    const char* venue;
};

// Exchanges in Schwab's books: the recorded fixture of schwab-py (edgx, NSDQ, arcx, batx) and thinkorswim's other
// four-letter codes. Any other id is a market maker.
constexpr Participant PARTICIPANTS[] = {
    {"amex", "XASE"}, {"arcx", "ARCX"}, {"bats", "BATS"}, {"batx", "BATS"}, {"baty", "BATY"}, {"bosx", "XBOS"},
    {"chx", "XCHI"},  {"cinn", "XCIS"}, {"edga", "EDGA"}, {"edgx", "EDGX"}, {"iex", "IEXG"},  {"iexg", "IEXG"},
    {"ltse", "LTSE"}, {"memx", "MEMX"}, {"miax", "EPRL"}, {"nsdq", "XNAS"}, {"nyse", "XNYS"}, {"phlx", "XPSX"},
};
constexpr size_t PARTICIPANT_MAX = 8;

}  // namespace

constinit const LetterTables LETTERS = letters();

uint16_t participant_venue(const char* name, size_t size) {
    if (size == 0 || size > PARTICIPANT_MAX) return 0;
    char lower[PARTICIPANT_MAX + 1] = {};
    char upper[PARTICIPANT_MAX + 1] = {};
    for (size_t i = 0; i < size; ++i) {
        const char letter = name[i];
        const bool is_upper = letter >= 'A' && letter <= 'Z';
        const bool is_lower = letter >= 'a' && letter <= 'z';
        if (!is_upper && !is_lower && !(letter >= '0' && letter <= '9')) return 0;
        lower[i] = is_upper ? static_cast<char>(letter + ('a' - 'A')) : letter;
        upper[i] = is_lower ? static_cast<char>(letter - ('a' - 'A')) : letter;
    }
    for (const Participant& participant : PARTICIPANTS) {
        if (std::strcmp(participant.name, lower) == 0) return venue_number(participant.venue);
    }
    return venue_number(upper);
}

}  // namespace tf::wire
