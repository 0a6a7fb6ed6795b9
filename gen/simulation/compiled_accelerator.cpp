// Drives a Verilated accelerator through the C driver: registers by AXI4-Lite, beside a memory on
// AXI4. Called from compiled_accelerator.py.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>

#include "Vtop.h"
#include "sparq_accelerator.h"
#include "verilated.h"
#include "verilated_machine.h"

// Ports are integers or arrays of 32-bit words, both little-endian like the words they are given.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine is needed");

// What the memory is like; see compiled_accelerator.py.
struct Memory {
  int64_t latency;
  uint32_t stall_chance;  // of 65536
  uint32_t error_chance;  // of 65536, of each beat and each response
  uint64_t seed;
};

namespace {

enum Failure : int64_t { HANGS = -1, PROTOCOL = -2 };
constexpr size_t MAX_BURSTS = 64;

struct Burst {
  uint64_t address;
  int beats;
  int64_t ready;  // the cycle from which on it is answered
};

class Accelerator {
 public:
  Accelerator() : top(&context), driver{read32<Accelerator>, write32<Accelerator>, this} { reset(); }

  void reset() {
    top.clk = 0;
    top.rst = 1;
    top.eval();
    forget();
    tick();
    forget();  // what was asked for in that cycle, too
    top.rst = 0;
    tick();
  }

  // From now on this is its memory.
  void attach(uint8_t* bytes, int64_t size, const Memory* kind) {
    memory = bytes;
    memory_size = size;
    memory_kind = *kind;
    random = SplitMix64(kind->seed);
    broken = false;
  }

  // Goes on until the interrupt comes.
  void wait() {
    while (!top.irq) tick();
  }

  // Cycles of the program, or a negative Failure. Where `after` is not negative, the machine is
  // reset after so many cycles instead.
  int64_t run(const sparq_accelerator_program* program, uint8_t* bytes, int64_t size,
              const Memory* kind, int64_t limit, int64_t after, uint64_t* counters) {
    attach(bytes, size, kind);
    sparq_accelerator_enable_interrupts(&driver, 1, 1);
    sparq_accelerator_clear_interrupts(&driver);
    if (sparq_accelerator_start(&driver, program) != SPARQ_ACCELERATOR_OK) return PROTOCOL;
    const int64_t begin = cycles;
    if (after >= 0) {
      while (cycles - begin < after) tick();
      reset();
      return 0;
    }
    while (!top.irq) {
      if (cycles - begin > limit) return HANGS;
      tick();
    }
    counters[0] = sparq_accelerator_error(&driver);
    counters[1] = sparq_accelerator_done(&driver);
    for (int i = 0; i < SPARQ_ACCELERATOR_COUNTERS; ++i) {
      counters[2 + i] =
          sparq_accelerator_count(&driver, static_cast<enum sparq_accelerator_counter>(i));
    }
    sparq_accelerator_clear_interrupts(&driver);
    if (!reads.empty() || !writes.empty() || !responses.empty() || top.irq) return PROTOCOL;
    return broken ? static_cast<int64_t>(PROTOCOL) : cycles - begin;
  }

  // One cycle, with the memory's answers to what was asked for before.
  void tick() {
    top.m_axi_memory_arready = reads.size() < MAX_BURSTS && !stalls();
    top.m_axi_memory_awready = writes.size() < MAX_BURSTS && !stalls();
    top.m_axi_memory_wready = !writes.empty() && !stalls();
    if (!read_offered) read_offered = !reads.empty() && reads.front().ready <= cycles && !stalls();
    top.m_axi_memory_rvalid = read_offered;
    if (read_offered) offer_read(reads.front());
    if (!response_offered) {
      response_offered = !responses.empty() && responses.front() <= cycles && !stalls();
      if (response_offered) response = fails() ? 2 : 0;
    }
    top.m_axi_memory_bvalid = response_offered;
    top.m_axi_memory_bresp = response;
    top.eval();
    if (top.m_axi_memory_rvalid && top.m_axi_memory_rready) {
      read_offered = beat_known = false;
      reads.front().address += BEAT_BYTES;
      if (!--reads.front().beats) reads.pop_front();
    }
    if (top.m_axi_memory_bvalid && top.m_axi_memory_bready) {
      response_offered = false;
      responses.pop_front();
    }
    if (top.m_axi_memory_wvalid && top.m_axi_memory_wready) take_write(writes.front());
    const int64_t ready = cycles + memory_kind.latency;
    if (top.m_axi_memory_arvalid && top.m_axi_memory_arready) {
      reads.push_back({top.m_axi_memory_araddr, top.m_axi_memory_arlen + 1, ready});
    }
    if (top.m_axi_memory_awvalid && top.m_axi_memory_awready) {
      writes.push_back({top.m_axi_memory_awaddr, top.m_axi_memory_awlen + 1, ready});
    }
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
    ++cycles;
  }

  VerilatedContext context;
  Vtop top;
  sparq_accelerator driver;

 private:
  static constexpr int BEAT_BYTES = sizeof(Vtop::m_axi_memory_rdata);

  // Nothing was asked for.
  void forget() {
    reads.clear();
    writes.clear();
    responses.clear();
    read_offered = beat_known = response_offered = false;
  }

  bool holds(uint64_t address) const {
    return address + BEAT_BYTES <= static_cast<uint64_t>(memory_size);
  }

  void offer_read(const Burst& burst) {
    if (beat_known) return;  // it stays as it is until it is taken
    beat_known = true;
    if (!holds(burst.address)) broken = true;
    else std::memcpy(&top.m_axi_memory_rdata, memory + burst.address, BEAT_BYTES);
    top.m_axi_memory_rlast = burst.beats == 1;
    top.m_axi_memory_rresp = fails() ? 2 : 0;
  }

  void take_write(Burst& burst) {
    if (!holds(burst.address)) broken = true;
    else std::memcpy(memory + burst.address, &top.m_axi_memory_wdata, BEAT_BYTES);
    burst.address += BEAT_BYTES;
    const bool last = !--burst.beats;
    if (last != static_cast<bool>(top.m_axi_memory_wlast)) broken = true;
    if (!last) return;
    writes.pop_front();
    responses.push_back(cycles + memory_kind.latency);
  }

  bool stalls() { return random.happens(memory_kind.stall_chance); }
  bool fails() { return random.happens(memory_kind.error_chance); }

  uint8_t* memory = nullptr;
  int64_t memory_size = 0;
  Memory memory_kind = {};
  std::deque<Burst> reads, writes;
  std::deque<int64_t> responses;  // the cycle from which on each is given
  bool read_offered = false, beat_known = false, response_offered = false, broken = false;
  uint8_t response = 0;
  SplitMix64 random;
  int64_t cycles = 0;
};

}  // namespace

// A new accelerator after reset, or nothing if it is not the one with this hash.
extern "C" void* accelerator_new(uint64_t hash) {
  auto accelerator = std::make_unique<Accelerator>();
  if (sparq_accelerator_check(&accelerator->driver, hash) != SPARQ_ACCELERATOR_OK) return nullptr;
  return accelerator.release();
}

extern "C" void accelerator_delete(void* accelerator) {
  delete static_cast<Accelerator*>(accelerator);
}

extern "C" int64_t accelerator_run(void* accelerator, const sparq_accelerator_program* program,
                                   uint8_t* memory, int64_t size, const Memory* kind, int64_t limit,
                                   int64_t after, uint64_t* counters) {
  return static_cast<Accelerator*>(accelerator)
      ->run(program, memory, size, kind, limit, after, counters);
}

// For C code that uses the accelerator by itself.

extern "C" void accelerator_attach(void* accelerator, uint8_t* memory, int64_t size,
                                   const Memory* kind) {
  static_cast<Accelerator*>(accelerator)->attach(memory, size, kind);
}

extern "C" uint32_t accelerator_read32(void* accelerator, uint32_t offset) {
  return read32<Accelerator>(accelerator, offset);
}

extern "C" void accelerator_write32(void* accelerator, uint32_t offset, uint32_t value) {
  write32<Accelerator>(accelerator, offset, value);
}

extern "C" void accelerator_wait(void* accelerator) {
  static_cast<Accelerator*>(accelerator)->wait();
}
