"""A site that takes Web Push, at `/demo/`: it shows what a browser does with a push, and what it reports.

A browser subscribes only at its vendor's push service, on the internet. Here the simulator can take that
part: it decrypts as the browser would, the page asks it for what came, and gives that to the service worker.
"""

from tidings.simulator.demo.routes import demo_routes

__all__ = ["demo_routes"]
