"""Lowering Amaranth to plain Verilog, each distinct component once."""

import gc
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Const, Fragment, Instance, ResetSignal, Signal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from gen.tools.amaranth_yosys import to_verilog
from gen.verilog.comments import comments
from gen.verilog.module_text import VerilogModule, modules_of, structural_order
from gen.verilog.naming import NameConflict, module_names
from gen.verilog.rtlil_text import full_operands, one_case_at_a_time
from gen.verilog.wiring import NotWiring, renamed, wiring_of
from hdl.identity import Identity
from hdl.placement import Component

CLOCK_AND_RESET = {"clk": ClockSignal, "rst": ResetSignal}

_AMARANTH = threading.Lock()
"""Held while Amaranth lowers: what it writes is then changed for the whole process."""


class Emission:
    """An Amaranth platform under which ``hdl.placement.place`` shares modules.

    Components of one identity become one module; its name is ``top`` + ``_`` + their
    ``module_name``, followed by what tells it from its variants in the same design. So several
    emissions can be used in one design. A component that uses a transformer of Amaranth
    (``ResetInserter``, ``EnableInserter``, ``DomainRenamer``) shares nothing of what is below it.

    Parameters
    ----------
    top : str
        Name of the top module, and prefix of all others.
    """

    def __init__(self, top: str):
        self._top = top
        self._texts: dict[str, str] = {}
        self._wiring: dict[str, VerilogModule] = {}
        self._clocks: dict[str, list[str]] = {}
        self._components: dict[str, wiring.Component] = {}
        self._shared: dict[Identity, tuple[str, str]] = {}
        """Of each module that is shared: the name by which it is lowered, and its component's."""
        self._instances: dict[int, Instance] = {}
        """All instances of modules that are shared, by their ids."""
        self._parts: dict[Identity, Component] = {}

    def verilog(self, component: wiring.Component) -> str:
        """Plain Verilog-2005 of ``component`` and all below it.

        Every top module has ``clk`` and ``rst``, a combinational one too, which does not read them.
        Ports stand in the order of the signature, behind these two. Raises ``TypeError`` for a
        component whose arguments cannot be compared, or one that stands in a transformer of
        Amaranth; and :class:`NameConflict`.
        """
        if not isinstance(component, wiring.Component):
            own = getattr(component, "_elaboratable_", component)
            raise TypeError(
                f"{type(own).__name__} stands in a ResetInserter, EnableInserter or "
                "DomainRenamer: only what is placed in a component can"
            )
        with _AMARANTH, _rare_garbage_collection(), full_operands():
            self._lower(component, self._top, always=tuple(CLOCK_AND_RESET))
        final = self._final_names()
        modules = {final[name]: renamed(own, final) for name, own in self._wiring.items()}
        if self._texts:
            modules |= modules_of(_to_verilog(self._named(self._texts, final, [*modules])))
        described = {final[name]: own for name, own in self._components.items()}
        order = structural_order(modules, self._top)
        texts = comments([module.name for module in order], described)
        return "\n".join(texts.get(module.name, "") + str(module) for module in order)

    def instance_of(
        self, component: Component, instance_name: str, reset: Value | None = None
    ) -> Instance:
        """An instance, wired to the component's own signals, of a module lowered once.

        ``reset`` resets it as well.

        The signals are renamed after the instance, which tells them apart in the module around it.
        """
        # What is only instantiated is never elaborated, which Amaranth would warn about.
        component._MustUse__used = True
        if component.identity not in self._shared:
            # "#" is in no name that a component has: these names cannot be mistaken.
            name = f"#{len(self._shared)}"
            self._shared[component.identity] = name, component.module_name
            if component.measured_alone:
                self._parts[component.identity] = component
            self._lower(component, name)
        name, _ = self._shared[component.identity]
        ports = {f"i_{port}": CLOCK_AND_RESET[port]() for port in self._clocks[name]}
        if reset is not None and "i_rst" in ports:
            ports["i_rst"] |= reset
        for port, (value, direction) in _ports(component).items():
            if direction is PortDirection.Input:
                ports[f"i_{port}"] = value
            elif isinstance(value, Signal):
                ports[f"o_{port}"] = value
            if isinstance(value, Signal):
                value.name = f"{instance_name}_{port}"
        instance = Instance(name, **ports)
        self._instances[id(instance)] = instance
        return instance

    @property
    def parts(self) -> list[str]:
        """The modules emitted whose components are ``measured_alone``, by their final names."""
        names = self._names()
        return [names[identity] for identity in self._parts]

    @property
    def parts_counting_rows(self) -> list[str]:
        """Those of :attr:`parts` that a machine of other rows has others of."""
        names = self._names()
        return [names[identity] for identity, part in self._parts.items() if part.counts_rows]

    def _names(self) -> dict[Identity, str]:
        components = {identity: name for identity, (_, name) in self._shared.items()}
        return module_names(self._top, components)

    def _lower(self, component: wiring.Component, name: str, always: Sequence[str] = ()) -> None:
        """Lower one module; ``always``: inputs that it has even if it does not read them."""
        ports = _ports(component)
        fragment = Fragment.get(component, self)
        if self._is_transformed(fragment):
            # What a transformer does to registers does not reach into modules that are shared.
            fragment = Fragment.get(component, None)
        self._components[name] = component
        try:
            module = wiring_of(name, fragment, ports, self._clocks, always)
        except NotWiring:
            pass
        else:
            self._wiring[name] = module
            self._clocks[name] = [
                port.name for port in module.ports if port.name in CLOCK_AND_RESET
            ]
            return
        signals = {port: own for port, own in ports.items() if isinstance(own[0], Signal)}
        text = rtlil.convert(fragment, name=name, platform=self, ports=signals, emit_src=False)
        start = text.index(f"module \\{name}\n")
        end = text.index("\nend\n", start)
        before, own, after = text[:start], text[start:end], text[end:]

        # Yosys puts ports in the order of their numbers; 0 counts as "no place", and as last.
        places = {port: place for place, port in enumerate([*CLOCK_AND_RESET, *ports], 1)}
        found = [match[3] for match in _PORT.finditer(own)]
        for port in found:
            if port not in places:
                raise TypeError(
                    f"{type(component).__name__} has a port {port} that its signature does not "
                    "name: it may use the clock domain sync alone"
                )
        own = _PORT.sub(lambda port: f"{port[1]}{places[port[3]]}{port[2] or ''} \\{port[3]}", own)
        for port in always:
            if port not in found:
                own += f"\n  wire width 1 input {places[port]} \\{port}"
        for port, (value, direction) in ports.items():
            if isinstance(value, Const):  # such as the ready of a stream that is always ready
                kind = "input" if direction is PortDirection.Input else "output"
                own += f"\n  wire width {len(value)} {kind} {places[port]} \\{port}"
                if kind == "output":
                    own += f"\n  connect \\{port} {len(value)}'{value.value:0{len(value)}b}"
        self._texts[name] = before + own + after
        self._clocks[name] = [port for port in CLOCK_AND_RESET if port in {*found, *always}]

    def _is_transformed(self, fragment: Fragment) -> bool:
        """Whether a transformer has copied the instance of a module that is shared."""
        if isinstance(fragment, Instance):
            return fragment.type in self._clocks and id(fragment) not in self._instances
        return any(self._is_transformed(below) for below, *_ in fragment.subfragments)

    def _final_names(self) -> dict[str, str]:
        """Of the names by which modules are lowered."""
        names = self._names()
        final = {lowered: names[identity] for identity, (lowered, _) in self._shared.items()}
        return {**final, self._top: self._top}

    def _named(
        self, texts: Mapping[str, str], final: Mapping[str, str], taken: Sequence[str]
    ) -> str:
        """RTLIL text with the final names of its modules, none of which is ``taken``."""
        modules = {*taken}

        def rename(match: re.Match[str]) -> str:
            # What is elaborated in place is called after where it is placed: MODULE.SUBMODULE.
            head, *below = match["name"].split(".")
            name = "_".join([final[head], *below]) if head in final else match["name"]
            if match["kind"] == "module ":
                if name in modules:
                    raise NameConflict(f"two modules are called {name}")
                modules.add(name)
            return f"{match['kind']}\\{name}"

        return _MODULE.sub(rename, "\n".join(texts.values()))


_PORT = re.compile(r"^(  wire .*(?:input|output) )\d+( +signed)? +\\(\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^(?P<kind>module |  cell )\\(?P<name>\S+)", re.MULTILINE)


def _ports(component: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """The value and direction of each port that has bits, by its name, in the signature's order."""
    directions = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}
    values = {
        "__".join(map(str, path)): (Value.cast(value), directions[member.flow])
        for path, member, value in component.signature.flatten(component)
    }
    return {port: (value, way) for port, (value, way) in values.items() if len(value)}


def _to_verilog(modules: str) -> str:
    """Lower RTLIL text to Verilog text with Yosys.

    Processes become multiplexers and flip-flops, so the only ``always`` blocks left are clocked
    ones. (Yosys writes combinational processes as blocks that also watch a dummy register; such a
    block is never evaluated, and reads X for ever, in Icarus while its inputs do not change.)
    """
    text = to_verilog(
        one_case_at_a_time(modules),
        [
            *("proc", "opt_expr", "opt_merge", "opt_clean"),
            "opt_dff",  # resets and enables become if (rst) and if (enable)
            *("opt_expr -mux_undef", "opt_expr", "opt_clean -purge"),
        ],
    )
    # opt_dff leaves don't-cares in parts of words: they are zeros.
    text = _UNKNOWN.sub(lambda constant: constant[0].replace("x", "0"), text)
    text = _LEADING_ZEROS.sub(r"\1\2", text)
    # Whether no bit of a word is set, as a reduction: logical negation is of single bits.
    text = text.replace(" = ! ", " = ~| ")
    # Nets are unsigned: that a product of signed numbers becomes one is meant.
    text = _SIGNED_PRODUCT.sub(r" = $unsigned(\1);", text)
    # An enable around a reset: whose the "else" is shall be plain.
    text = _NESTED_IF.sub(r"\1 begin\n\2    end\n", text)
    # The first line carries the version of Yosys and of the compiler that built it.
    _, _, text = text.partition("\n")
    return text.strip() + "\n"


_NESTED_IF = re.compile(r"^(    if \(.*\))\n(      if \(.*\) .*;\n      else .*;\n)", re.MULTILINE)
_LEADING_ZEROS = re.compile(r"\b(\d+'h)0+([0-9a-f])")
_SIGNED_PRODUCT = re.compile(r" = (\$signed\([^;]*\) \* \$signed\([^;]*\));")
_UNKNOWN = re.compile(r"\b\d+'[bdh][0-9a-f]*x[0-9a-fx]*")


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Lowering makes millions of small objects that live on: looking for cycles costs a tenth."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
