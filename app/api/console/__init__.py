"""The console: pages on the admin port for people who would rather look.

Pages are rendered here and call the functions behind the admin API's routes, so that what may be
done, by whom, and what comes of it is written once.

How a page is added:

1. `pages/NAME.py` with `add_NAME_pages(console: Console) -> None`, which registers functions from
   a Visit to an answer, each with the permission that it needs (the API's own `Action`):

       @console.page("/plan", Action.READ_PLAN)
       async def plan(visit: Visit) -> Response:
           found = await visit.api("read_plan", asked=...)   # the function of the API's route
           return visit.show("plan.html", title="Plan", plan=found.data)

       @console.act("/plan", Action.WRITE_PLAN)               # a POST: CSRF is checked before
       async def change(visit: Visit) -> Response:
           await visit.api("change_plan", body=visit.valid(PlanBody, {...visit.form...}))
           return visit.go("/plan", "It is changed.")

   `visit.api` finds the function by its route's name, checks the route's own permission, and adds
   `caller` and `response` where it takes them. What it raises is shown as a page with its status.
2. `templates/NAME.html`, which extends `base.html` and fills `{% block main %}`. For a part that is
   to follow without reloading: `{% extends "live.html" %}` and fill `{% block live %}`; it is asked
   for again every two seconds, and rendered alone then. Only what `visit.show` was given can be
   named: an unknown name is an error. Texts are escaped; `|safe` is forbidden. No `style`, no
   `onclick`, no `<script>`: the Content-Security-Policy lets none of them in. Tiles, bars and times
   are macros (`m.tile`, `m.bar`, `m.at`; `macros.html`); shapes are SVG.
3. A line in `navigation.py`, `add_NAME_pages` in `pages/__init__.py`, and a body for each POST in
   `tests/fakes/console.py`: the tests of roles, of injection and of what is accessible go over
   every route by themselves.
"""
