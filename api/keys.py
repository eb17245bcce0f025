"""What a request carries besides its Call."""

from aiohttp import web

from api.limits import Decision

# The path of the endpoint's declaration: a bounded label, unlike the path of the request.
ROUTE = web.RequestKey("route", str)
DECISION = web.RequestKey("decision", Decision)
