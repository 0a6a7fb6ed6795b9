"""``sparq fusesoc``: the generator of ``sparq.core``, which FuseSoC runs for the cores that ask."""

from pathlib import Path
from typing import Any

import click
from fusesoc import utils
from fusesoc.capi2.generator import Generator

from gen.commands.configuration_options import load_configuration
from gen.design.configuration import OPTIONS, check_keys
from gen.verilog.generate import design_files, generate
from support.errors import InputError
from support.files import write_files


@click.command()
@click.argument("request", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def fusesoc(request: Path) -> None:
    """Emit the Verilog that a core file asks FuseSoC for, as a core.

    FuseSoC writes REQUEST and runs this in an empty folder, which gets what `sparq verilog` writes
    and a core file. The parameters are those of a configuration file, and name and preset.
    """
    data = utils.yaml_fread(str(request), False)
    generator = Generator(data)
    options: dict[str, Any] = dict(generator.config or {})
    check_keys(options, (*OPTIONS, "name", "preset"))
    name, preset = options.pop("name", None), options.pop("preset", None)
    for key, value in (("name", name), ("preset", preset)):
        if value is not None and not isinstance(value, str):
            raise InputError(f"{key} must be a text, not {value!r}")
    generated = generate(load_configuration(preset, None, options), name)
    files = design_files(generated)
    write_files(Path(), files)
    generator.add_files(list(generated.sidecar["files"]), "rtl", file_type="verilogSource")
    headers = [file for file in files if file.endswith(".h")]
    included = [{file: {"is_include_file": True}} for file in headers]
    if included:
        generator.add_files(included, "driver", file_type="cSource")
    generator.write()
