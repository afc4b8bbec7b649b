"""``norce-order completion``: what a shell needs to complete the words of the command."""

from __future__ import annotations

import click

from norce_order_async.cli.options import Choice


@click.command(short_help="Print the completion for a shell.")
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, options and profiles in a shell.

    \b
    bash  eval "$(norce-order completion bash)"     in ~/.bashrc
    zsh   eval "$(norce-order completion zsh)"      in ~/.zshrc
    fish  norce-order completion fish | source      in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    root = context.find_root()
    name = root.info_name or "norce-order"
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"this version of click has no completion for {shell}")
    click.echo(made(root.command, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source())
