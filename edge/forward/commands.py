"""The command `queue` of `edge`."""

from __future__ import annotations

import click

from onnxlet.function.command_line import Command


@click.command(cls=Command, example="{command} --retry")
@click.option("--retry", is_flag=True, help="Send again what the other side refused.")
def queue(retry: bool) -> None:
    """Show how many predictions wait here to be sent on."""
    from onnxlet.edge.device.privileges import drop_privileges_to_owner
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.forward.inspection import inspect
    from onnxlet.edge.settings.installed import device_settings

    options = device_settings(DevicePaths()).forward
    drop_privileges_to_owner(options.queue)
    for line in inspect(options, retry):
        click.echo(line)


COMMANDS = (queue,)
