// Drives a Verilated engine through the C driver: registers by AXI4-Lite, operands and results by
// AXI4-Stream. Called from compiled_engine.py.

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "Vtop.h"
#include "sparq_engine.h"
#include "verilated.h"
#include "verilated_machine.h"

// Ports are integers or arrays of 32-bit words, both little-endian like the words they are given.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine is needed");

struct Stream {
  const uint8_t* words;
  int64_t count;   // words
  int64_t stride;  // bytes from one word to the next
};

namespace {

enum Failure : int64_t { TIMEOUT = -1, PROTOCOL = -2, REFUSED = -3 };

class Engine {
 public:
  Engine() : top(&context), driver{read32<Engine>, write32<Engine>, this} {
    top.clk = 0;
    top.rst = 1;
    top.eval();
    tick();
    top.rst = 0;
    tick();  // nothing is taken in the first cycle after reset
  }

  // One cycle: operands are offered, results taken, each as its stalls have it.
  void tick() {
    offer(0, top.s_axis_activations_tvalid, top.s_axis_activations_tdata);
    offer(1, top.s_axis_weights_tvalid, top.s_axis_weights_tdata);
    offer(2, top.s_axis_parameters_tvalid, top.s_axis_parameters_tdata);
    top.m_axis_results_tready = received < expected && !stalls(3);
    top.eval();
    advance(0, top.s_axis_activations_tvalid && top.s_axis_activations_tready);
    advance(1, top.s_axis_weights_tvalid && top.s_axis_weights_tready);
    advance(2, top.s_axis_parameters_tvalid && top.s_axis_parameters_tready);
    take_results();
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
    ++cycles;
  }

  int64_t run(const sparq_engine_command* commands, int64_t count, const Stream* operands,
              uint8_t* words, uint8_t* last, int64_t word_count, const uint32_t* stall_chances,
              uint64_t seed, int64_t limit, uint64_t* counters) {
    for (int i = 0; i < 3; ++i) streams[i] = {nullptr, 0, 0};
    for (int i = 0; i < 4; ++i) chances[i] = stall_chances[i];
    random = SplitMix64(seed);
    taken[0] = taken[1] = taken[2] = received = 0;
    expected = word_count;
    results = words;
    lasts = last;
    broken = false;
    const int64_t end = cycles + limit;
    const uint32_t completed = sparq_engine_completed(&driver);
    sparq_engine_enable(&driver, 1);
    sparq_engine_freeze_counters(&driver, 0);
    sparq_engine_clear_counters(&driver);
    for (int64_t started = 0; started < count;) {
      if (cycles > end) return TIMEOUT;
      if (sparq_engine_start(&driver, &commands[started]) != SPARQ_ENGINE_OK) continue;
      // Operands are offered from the cycle after the first start on.
      if (!started++) std::memcpy(streams, operands, sizeof streams);
      if (sparq_engine_error(&driver)) return REFUSED;
    }
    while (received < expected) {
      if (cycles > end) return TIMEOUT;
      tick();
    }
    const uint32_t target = completed + static_cast<uint32_t>(count);
    if (sparq_engine_wait_completed(&driver, target, 1000) != SPARQ_ENGINE_OK) return TIMEOUT;
    if (sparq_engine_wait_idle(&driver, 1) != SPARQ_ENGINE_OK) return TIMEOUT;
    sparq_engine_freeze_counters(&driver, 1);
    for (int i = 0; i < SPARQ_ENGINE_COUNTERS; ++i) {
      counters[i] = sparq_engine_counter(&driver, static_cast<sparq_engine_counter_index>(i));
    }
    for (int i = 0; i < 3; ++i) {
      if (taken[i] != streams[i].count) return PROTOCOL;
    }
    return broken ? static_cast<int64_t>(PROTOCOL) : received;
  }

  // Start a command, feed it for so many cycles, and empty the engine in the middle of it.
  void abandon(const sparq_engine_command* command, const Stream* operands, int64_t after) {
    sparq_engine_enable(&driver, 1);
    sparq_engine_start(&driver, command);
    std::memcpy(streams, operands, sizeof streams);
    taken[0] = taken[1] = taken[2] = received = expected = 0;
    std::memset(chances, 0, sizeof chances);
    for (int64_t cycle = 0; cycle < after; ++cycle) tick();
    std::memset(streams, 0, sizeof streams);
    taken[0] = taken[1] = taken[2] = 0;
    offered[0] = offered[1] = offered[2] = false;
    sparq_engine_soft_reset(&driver);
    held = false;
  }

  VerilatedContext context;
  Vtop top;
  sparq_engine driver;

 private:
  using sparq_engine_counter_index = enum sparq_engine_counter;

  bool stalls(int stream) { return random.happens(chances[stream]); }

  // What is offered stays until it is taken.
  template <typename Data>
  void offer(int stream, CData& valid, Data& data) {
    const Stream& from = streams[stream];
    if (!offered[stream]) offered[stream] = taken[stream] < from.count && !stalls(stream);
    valid = offered[stream];
    // No more than a word has: what is above a port's bits must stay 0.
    const size_t bytes = from.stride < int64_t(sizeof data) ? from.stride : sizeof data;
    if (valid) {
      std::memcpy(&data, from.words + taken[stream] * from.stride, bytes);
    } else if (chances[stream]) {
      const uint64_t rubbish = random.next();
      std::memcpy(&data, &rubbish, bytes < sizeof rubbish ? bytes : sizeof rubbish);
    }
  }

  void advance(int stream, bool moves) {
    if (!moves) return;
    ++taken[stream];
    offered[stream] = false;
  }

  // Results are offered until they are taken, as they are.
  void take_results() {
    auto& data = top.m_axis_results_tdata;
    const bool same = !std::memcmp(&data, &before, sizeof data) && before_last == top.m_axis_results_tlast;
    if (held && !(top.m_axis_results_tvalid && same)) broken = true;
    held = top.m_axis_results_tvalid && !top.m_axis_results_tready;
    std::memcpy(&before, &data, sizeof data);
    before_last = top.m_axis_results_tlast;
    if (top.m_axis_results_tvalid && top.m_axis_results_tready) {
      std::memcpy(results + received * word_bytes, &data, word_bytes);
      lasts[received++] = top.m_axis_results_tlast;
    }
  }

 public:
  int64_t word_bytes = 0;

 private:
  Stream streams[3] = {};
  int64_t taken[3] = {};
  bool offered[3] = {};
  uint32_t chances[4] = {};
  SplitMix64 random;
  int64_t received = 0, expected = 0, cycles = 0;
  uint8_t* results = nullptr;
  uint8_t* lasts = nullptr;
  bool held = false, broken = false;
  std::remove_reference_t<decltype(Vtop::m_axis_results_tdata)> before{};
  CData before_last = 0;
};

}  // namespace

// A new engine after reset, or nothing if it is not the one with this hash.
extern "C" void* engine_new(uint64_t hash, int64_t word_bytes) {
  auto engine = std::make_unique<Engine>();
  engine->word_bytes = word_bytes;
  if (sparq_engine_check(&engine->driver, hash) != SPARQ_ENGINE_OK) return nullptr;
  return engine.release();
}

extern "C" void engine_delete(void* engine) { delete static_cast<Engine*>(engine); }

// Words of results received, or a negative Failure.
extern "C" int64_t engine_run(void* engine, const sparq_engine_command* commands, int64_t count,
                              const Stream* operands, uint8_t* words, uint8_t* last,
                              int64_t word_count, const uint32_t* chances, uint64_t seed,
                              int64_t limit, uint64_t* counters) {
  return static_cast<Engine*>(engine)->run(commands, count, operands, words, last, word_count,
                                           chances, seed, limit, counters);
}

extern "C" void engine_abandon(void* engine, const sparq_engine_command* command,
                               const Stream* operands, int64_t after) {
  static_cast<Engine*>(engine)->abandon(command, operands, after);
}
