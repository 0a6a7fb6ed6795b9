// What harnesses of Verilated machines share: the AXI4-Lite port `s_axi_control`, and randomness.
//
// A machine has the Verilated design `top`, and does one cycle with tick().

#ifndef VERILATED_MACHINE_H
#define VERILATED_MACHINE_H

#include <cstdint>

template <typename Machine>
uint32_t read32(void* self, uint32_t offset) {
  Machine& machine = *static_cast<Machine*>(self);
  auto& top = machine.top;
  top.s_axi_control_araddr = offset;
  top.s_axi_control_arvalid = 1;
  top.eval();
  while (!top.s_axi_control_arready) machine.tick();
  machine.tick();
  top.s_axi_control_arvalid = 0;
  top.s_axi_control_rready = 1;
  while (!top.s_axi_control_rvalid) machine.tick();
  const uint32_t word = top.s_axi_control_rdata;
  machine.tick();
  top.s_axi_control_rready = 0;
  return word;
}

template <typename Machine>
void write32(void* self, uint32_t offset, uint32_t value) {
  Machine& machine = *static_cast<Machine*>(self);
  auto& top = machine.top;
  top.s_axi_control_awaddr = offset;
  top.s_axi_control_awvalid = 1;
  top.s_axi_control_wdata = value;
  top.s_axi_control_wstrb = 0xf;
  top.s_axi_control_wvalid = 1;
  top.eval();
  while (!(top.s_axi_control_awready && top.s_axi_control_wready)) machine.tick();
  machine.tick();
  top.s_axi_control_awvalid = 0;
  top.s_axi_control_wvalid = 0;
  top.s_axi_control_bready = 1;
  while (!top.s_axi_control_bvalid) machine.tick();
  machine.tick();
  top.s_axi_control_bready = 0;
}

class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed = 0) : state(seed) {}

  // Whether what has a chance, of 65536, happens; what has none draws nothing.
  bool happens(uint32_t chance) { return chance && (next() & 0xffff) < chance; }

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state;
};

#endif
