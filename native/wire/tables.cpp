#include "wire/tables.hpp"

#include "event.hpp"

namespace tf::wire {

namespace {

struct Exchange {
    uint16_t code;
    const char* venue;
};

// Massive (Polygon) GET /v3/reference/exchanges?asset_class=stocks: id and mic. PSX is XPSX of the group's XPHL; 62 is any
// OTC security (OOTC). 4 is FINRA's display facility, or any trade report whose `trfi` says which facility it came
// from. 5 and 13 are the SIPs themselves, 6 and 16 exchanges that are gone: no venue.
constexpr Exchange POLYGON_VENUES[] = {
    {1, "XASE"},  {2, "XBOS"},  {3, "XCIS"},  {4, "XADF"},   {7, "EDGA"},   {8, "EDGX"},   {9, "XCHI"},  {10, "XNYS"},
    {11, "ARCX"}, {12, "XNAS"}, {14, "LTSE"}, {15, "IEXG"},  {17, "XPSX"},  {18, "BATY"},  {19, "BATS"}, {20, "EPRL"},
    {21, "MEMX"}, {22, "24EQ"}, {62, "OTCM"}, {201, "FINY"}, {202, "FINN"}, {203, "FINC"},
};

struct Code {
    uint16_t code;
    uint32_t bits;
};

constexpr uint32_t NO_PRICE = NO_LAST | NO_HIGH_LOW;

// Numbers: Massive GET /v3/reference/conditions?asset_class=stocks&data_type=trade. What each keeps from being updated:
// the "consolidated" columns of the sale condition matrices of the CTA and UTP plans (CTS and UTDF output
// specifications); where a matrix lets a late print set the last price only when it is the day's first, it has NO_LAST.
constexpr Code POLYGON_TRADES[] = {
    {2, NO_PRICE},                          // average price trade
    {5, NO_LAST},                           // bunched sold trade
    {7, NO_PRICE},                          // cash sale
    {8, AUCTION},                           // closing prints
    {10, NO_LAST},                          // derivatively priced
    {12, NO_PRICE | EXTENDED_HOURS},        // form T
    {13, NO_PRICE | EXTENDED_HOURS},        // extended hours, sold out of sequence
    {14, SWEEP},                            // intermarket sweep
    {15, NO_PRICE | NO_VOLUME | AUCTION},   // market center official close
    {16, NO_PRICE | NO_VOLUME | AUCTION},   // market center official open
    {17, AUCTION},                          // market center opening trade
    {18, AUCTION},                          // market center reopening trade
    {19, AUCTION},                          // market center closing trade
    {20, NO_PRICE},                         // next day
    {21, NO_PRICE},                         // price variation trade
    {22, NO_LAST},                          // prior reference price
    {25, AUCTION},                          // opening prints
    {28, AUCTION},                          // re-opening prints
    {29, NO_PRICE},                         // seller
    {32, NO_LAST},                          // sold, out of sequence
    {33, NO_LAST},                          // sold out of sequence and stopped stock
    {37, NO_PRICE | ODD_LOT},               // odd lot trade
    {38, NO_VOLUME},                        // corrected consolidated close
    {41, TRADE_THROUGH_EXEMPT},             // trade through exempt
    {52, NO_PRICE},                         // contingent trade
    {53, NO_PRICE | TRADE_THROUGH_EXEMPT},  // qualified contingent trade
};

// Numbers: Massive's glossary of quote conditions. Not firm: what the CQS and UQDF specifications leave out of the NBBO
// (closed, non-firm) and halts, pauses and indications during which no quote can be traded with.
constexpr uint16_t POLYGON_NON_FIRM[] = {
    15,                          // closed
    18,                          // trading range indication
    19,                          // market maker quotes closed
    20,                          // non-firm
    21, 22, 23, 24, 25, 26, 27,  // news dissemination, order influx and imbalance, related security, news pending
    28, 29, 30, 31, 32,          // additional information, in view of common, equipment changeover, no open or resume
    36, 37, 38,                  // market-wide circuit breaker, level 1 to 3
    43,                          // limit up, limit down trading pause
    80,                          // cancel
    89,                          // pre-opening indication
};

constexpr PolygonTables polygon() {
    PolygonTables tables{};
    for (const Exchange& exchange : POLYGON_VENUES) tables.venues[exchange.code] = venue_number(exchange.venue);
    for (const Code& code : POLYGON_TRADES) tables.trade_conditions[code.code] = code.bits;
    for (const uint16_t code : POLYGON_NON_FIRM) tables.quote_conditions[code] = NON_FIRM;
    return tables;
}

}  // namespace

constinit const PolygonTables POLYGON = polygon();

}  // namespace tf::wire
