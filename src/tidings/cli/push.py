"""`tidings push`: what an operator needs for push."""

import click


@click.group()
def push() -> None:
    """Prepare push: the keys of Web Push."""


@push.command()
@click.option("--json", "as_json", is_flag=True, help='As {"public": …, "private": …}.')
def keys(*, as_json: bool) -> None:
    """Make a pair of VAPID keys (RFC 8292), which identify you to browsers' push services.

    The private one goes into TIDINGS_PUSH_VAPID_PRIVATE_KEY or a providers file, the public one into your
    pages, which may also fetch it from the push service. Whoever loses it loses every subscription.
    """
    import msgspec  # noqa: PLC0415 - so that the other commands, and --help, do not wait for it

    from tidings.push.keys import make_vapid_keys  # noqa: PLC0415 - the same

    made = make_vapid_keys()
    if as_json:
        click.echo(msgspec.json.encode({"public": made.public, "private": made.private}))
        return
    click.echo(f"public   {made.public}")
    click.echo(f"private  {made.private}")
