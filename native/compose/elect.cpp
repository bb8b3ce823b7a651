// Sources and who leads: everything that is not a message.
#include <bit>
#include <cstdlib>
#include <cstring>

#include "book/arena.hpp"
#include "book/pages.hpp"
#include "compose/composer.hpp"

namespace tf::compose {
namespace {

void drop(State& state) {
    Grid* book = state.book;
    Montage* montage = state.montage;
    state = {};
    state.slot[0].row = state.slot[1].row = NOWHERE;
    state.book = book;
    state.montage = montage;
    if (book != nullptr) grid_clear(book);
    if (montage != nullptr) std::memset(montage, 0, sizeof(Montage));
}

// Boards and states lie in the arena: on few large pages, whose translation is at hand when a message comes.
template <typename T>
T* take(Arena* arena) {
    return static_cast<T*>(arena_take(arena, sizeof(T)));
}

State* state_create(Role role, Arena* arena) {
    auto* state = take<State>(arena);
    if (role == Role::DEPTH) state->book = grid_create(Form::LEVELS, 0, 0, 0, arena);
    if (role == Role::MONTAGE) state->montage = take<Montage>(arena);
    drop(*state);
    return state;
}

void state_destroy(State* state, Arena* arena) {
    if (state == nullptr) return;
    grid_destroy(state->book);
    arena_give(arena, state->montage, sizeof(Montage));
    arena_give(arena, state, sizeof(State));
}

Board* board_create(uint32_t instrument, Grid* grid, Arena* arena) {
    auto* board = take<Board>(arena);
    board->instrument = instrument;
    board->grid = grid;
    board->nbbo[0].row = board->nbbo[1].row = NOWHERE;
    std::memset(board->leader, -1, sizeof board->leader);
    std::memset(board->depth, -1, sizeof board->depth);
    std::memset(board->top, -1, sizeof board->top);
    return board;
}

// What is said of a market state whose teller is lost.
Event lost(const Source& source, uint32_t instrument, int64_t ts_event, int64_t now) {
    Event event{};
    event.kind = Kind::STATUS;
    event.instrument = instrument;
    event.provider = source.provider;
    event.ts_event = ts_event;
    event.ts_recv = now;
    return event;
}

}  // namespace

Composer::Composer(BookSet* books, const Options& options)
    : books_(books), kernels_(&book_kernels()), record_(options.record) {}

Composer::~Composer() {
    for (Source* source : sources_) {
        for (State* state : source->states) state_destroy(state, &arena_);
        delete source;
    }
    arena_close(&arena_);
}

int Composer::add_source(uint8_t provider, Role role, uint16_t venue) {
    if (sources_.size() == MOST_SOURCES) return -1;
    auto* source = new Source{};
    const bool has_venue = role == Role::DEPTH || role == Role::TOP;
    source->role = role;
    source->provider = provider;
    source->venue = has_venue ? venue : uint16_t{0};
    source->row = has_venue ? row_of(venue) : NOWHERE;
    source->trusted = true;
    source->rank = static_cast<uint32_t>(sources_.size());
    sources_.push_back(source);
    return static_cast<int>(sources_.size()) - 1;
}

bool Composer::subscribe(uint32_t source, uint32_t instrument) {
    if (instrument >= MOST_INSTRUMENTS) return false;
    Source& to = *sources_[source];
    if (instrument >= boards_.size()) boards_.resize(instrument + 1);
    if (instrument >= to.states.size()) to.states.resize(instrument + 1);
    if (to.states[instrument] != nullptr) return true;
    if (boards_[instrument] == nullptr)
        boards_[instrument] = board_create(instrument, set_open(books_, instrument), &arena_);
    to.states[instrument] = state_create(to.role, &arena_);
    boards_[instrument]->subscribed[static_cast<uint32_t>(to.role)] |= uint64_t{1} << source;
    return true;
}

void Composer::unsubscribe(uint32_t source, uint32_t instrument) {
    Source& from = *sources_[source];
    if (instrument >= from.states.size() || from.states[instrument] == nullptr) return;
    reset(source, instrument, from.line.last_recv);
    state_destroy(from.states[instrument], &arena_);
    from.states[instrument] = nullptr;
    boards_[instrument]->subscribed[static_cast<uint32_t>(from.role)] &= ~(uint64_t{1} << source);
}

void Composer::trust(uint32_t source, bool trusted, int64_t now) {
    if (sources_[source]->trusted == trusted) return;
    Source& of = *sources_[source];
    of.trusted = trusted;
    settle_session();
    for (uint32_t instrument = 0; instrument < of.states.size(); ++instrument) {
        const State* state = of.states[instrument];
        if (state != nullptr) settle_status(instrument, lost(of, instrument, state->ts_event, now));
    }
    recompose_all(source, now);
}

void Composer::rank(uint32_t source, uint32_t rank, int64_t now) {
    if (sources_[source]->rank == rank) return;
    sources_[source]->rank = rank;
    recompose_all(source, now);
}

void Composer::reset(uint32_t source, int64_t now) {
    sources_[source]->session = 0;
    sources_[source]->session_at = 0;
    settle_session();
    for (uint32_t instrument = 0; instrument < sources_[source]->states.size(); ++instrument) {
        reset(source, instrument, now);
    }
}

void Composer::reset(uint32_t source, uint32_t instrument, int64_t now) {
    Source& of = *sources_[source];
    if (instrument >= of.states.size() || of.states[instrument] == nullptr) return;
    State& state = *of.states[instrument];
    const int64_t ts_event = state.ts_event, denied_at = state.denied_at;
    drop(state);
    state.denied_at = denied_at;
    state.waits = of.role == Role::DEPTH;
    settle_status(instrument, lost(of, instrument, ts_event, now));
    recompose(source, instrument, ts_event, now);
}

void Composer::recompose_all(uint32_t source, int64_t now) {
    const Source& of = *sources_[source];
    for (uint32_t instrument = 0; instrument < of.states.size(); ++instrument) {
        const State* state = of.states[instrument];
        if (state != nullptr) recompose(source, instrument, state->ts_event, now);
    }
}

// Something about a source's state of an instrument is new: elects, and shows all that follows.
void Composer::recompose(uint32_t source, uint32_t instrument, int64_t ts_event, int64_t now) {
    const Source& of = *sources_[source];
    const State& state = *of.states[instrument];
    Board& board = *boards_[instrument];
    const uint64_t bit = uint64_t{1} << source;
    const bool good = of.trusted && state.has && state.suspect == Suspect::NO;
    const bool disputed = of.trusted && state.has && state.suspect == Suspect::SCALE;
    board.good = good ? board.good | bit : board.good & ~bit;
    board.disputed = disputed ? board.disputed | bit : board.disputed & ~bit;
    uint64_t anew = elect_all(instrument);
    if (of.role == Role::DEPTH && of.row < NOWHERE) anew |= uint64_t{1} << of.row;
    begin(of, instrument, ts_event, now, state.sequence);
    show_all(board, anew);
    finish(board);
}

// A suspect leads nothing: what it said last was left out, or contradicted. A crossed one does where no line is good and
// nobody has shown that it is wrong: it may be the market that is crossed.
bool Composer::may_lead(uint32_t source, uint32_t instrument, bool prints) const {
    const State& state = *sources_[source]->states[instrument];
    if (!sources_[source]->trusted || !(prints ? state.prints : state.has)) return false;
    if (state.suspect != Suspect::CROSSED || state.denied_at != 0) return state.suspect == Suspect::NO;
    return (boards_[instrument]->good & ~(uint64_t{1} << source)) == 0;
}

bool Composer::before(uint32_t source, int other) const {
    if (other < 0) return true;
    const uint32_t mine = sources_[source]->rank;
    const uint32_t theirs = sources_[static_cast<uint32_t>(other)]->rank;
    return mine < theirs || (mine == theirs && source < static_cast<uint32_t>(other));
}

int Composer::elect(uint64_t candidates, uint32_t instrument, bool prints) const {
    int leader = -1;
    for (; candidates != 0; candidates &= candidates - 1) {
        const auto source = static_cast<uint32_t>(std::countr_zero(candidates));
        if (may_lead(source, instrument, prints) && before(source, leader)) leader = static_cast<int>(source);
    }
    return leader;
}

void Composer::elect_prints(uint32_t instrument) {
    Board& board = *boards_[instrument];
    uint64_t all = 0;
    for (const uint64_t some : board.subscribed) all |= some;
    uint64_t quiet = 0;
    for (uint64_t left = all; left != 0; left &= left - 1) {
        const auto source = static_cast<uint32_t>(std::countr_zero(left));
        quiet |= uint64_t{sources_[source]->states[instrument]->quiet} << source;
    }
    int leader = elect(all & ~quiet, instrument, true);
    if (leader < 0 && quiet != 0) leader = elect(quiet, instrument, true);
    board.leader[static_cast<int>(Role::PRINTS)] = static_cast<int8_t>(leader);
}

// The leaders of one role at each venue; the rows where they are others now.
uint64_t Composer::elect_venues(uint32_t instrument, Role role, int8_t* leaders, uint64_t* rows) {
    int8_t now[MOST_VENUES];
    std::memset(now, -1, sizeof now);
    uint64_t led = 0;
    uint64_t all = boards_[instrument]->subscribed[static_cast<uint32_t>(role)];
    for (; all != 0; all &= all - 1) {
        const auto source = static_cast<uint32_t>(std::countr_zero(all));
        const uint32_t row = sources_[source]->row;
        if (row == NOWHERE || !may_lead(source, instrument, false) || !before(source, now[row])) continue;
        now[row] = static_cast<int8_t>(source);
        led |= uint64_t{1} << row;
    }
    uint64_t others = 0;
    for (uint64_t known = led | *rows; known != 0; known &= known - 1) {
        const int row = std::countr_zero(known);
        if (now[row] != leaders[row]) others |= uint64_t{1} << row;
        leaders[row] = now[row];
    }
    *rows = led;
    return others;
}

uint64_t Composer::elect_all(uint32_t instrument) {
    Board& board = *boards_[instrument];
    uint64_t others = 0;
    for (const Role role : {Role::NBBO, Role::MONTAGE}) {
        const auto at = static_cast<uint32_t>(role);
        const auto leader = static_cast<int8_t>(elect(board.subscribed[at], instrument, false));
        others |= leader != board.leader[at];
        board.leader[at] = leader;
    }
    elect_prints(instrument);
    others |= elect_venues(instrument, Role::TOP, board.top, &board.top_rows);
    const uint64_t anew = elect_venues(instrument, Role::DEPTH, board.depth, &board.depth_rows);
    if ((others | anew) != 0) note(board);
    return anew;
}

// The market state of an instrument is the last one that a trusted source told. A halt clears what NBBO lines say.
void Composer::settle_status(uint32_t instrument, const Event& cause) {
    Board& board = *boards_[instrument];
    uint8_t status = 0;
    uint64_t newest = 0;
    for (const Source* source : sources_) {
        const State* state = instrument < source->states.size() ? source->states[instrument] : nullptr;
        if (state == nullptr || !source->trusted || state->status_at <= newest) continue;
        status = state->status;
        newest = state->status_at;
    }
    if (status == board.status) return;
    board.status = status;
    note(board);
    Event event = cause;
    event.conditions = status;
    record(event);
    if (!halted(status)) return;
    for (uint64_t all = board.subscribed[static_cast<int>(Role::NBBO)]; all != 0; all &= all - 1) {
        State& state = *sources_[static_cast<uint32_t>(std::countr_zero(all))]->states[instrument];
        state.slot[0] = state.slot[1] = {0, 0, NOWHERE};
        state.top = {};
    }
    blank_.ts_event = event.ts_event;
    blank_.ts_recv = event.ts_recv;
    blank_.sequence = event.sequence;
    blank_.instrument = instrument;
    blank_.provider = event.provider;
    blank_.kind = Kind::LEVEL;
    show_nbbo(board);
    finish(board);
}

void Composer::settle_session() {
    uint64_t newest = 0;
    session_ = 0;
    for (const Source* source : sources_) {
        if (!source->trusted || source->session_at <= newest) continue;
        session_ = source->session;
        newest = source->session_at;
    }
}

int Composer::leader(uint32_t instrument, Role role, uint16_t venue) const {
    const Board* at = board(instrument);
    if (at == nullptr) return -1;
    if (role != Role::DEPTH && role != Role::TOP) return at->leader[static_cast<uint32_t>(role)];
    const uint32_t row = books_->row[venue];
    if (row == 0) return -1;
    return role == Role::DEPTH ? at->depth[row - 1] : at->top[row - 1];
}

const State* Composer::state(uint32_t source, uint32_t instrument) const {
    const std::vector<State*>& states = sources_[source]->states;
    return instrument < states.size() ? states[instrument] : nullptr;
}

const Board* Composer::board(uint32_t instrument) const {
    return instrument < boards_.size() ? boards_[instrument] : nullptr;
}

uint32_t Composer::status(uint32_t instrument) const {
    if (instrument == NO_INSTRUMENT) return session_;
    const Board* at = board(instrument);
    return at == nullptr ? 0 : at->status;
}

void Composer::took_changes() {
    for (const uint32_t instrument : changes_) boards_[instrument]->changed = false;
    changes_.clear();
}

void Composer::took_events() {
    out_.clear();
    mark_ = 0;
}

}  // namespace tf::compose
