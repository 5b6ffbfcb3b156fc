"""The catalogue on Flask with prometheus_client, as its users would write it.

Run: PROMETHEUS_MULTIPROC_DIR=$(mktemp -d) gunicorn --workers 2 --bind 127.0.0.1:8000 app:app
"""

import json
import os
import time

from flask import Flask, Response, abort, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

app = Flask(__name__)

with open(os.environ["PRODUCTS"], encoding="utf-8") as file:
    PRODUCTS = json.load(file)
BY_ID = {product["id"]: product for product in PRODUCTS}

REQUESTS = Counter("app_requests_total", "Requests answered.", ["method", "endpoint", "code"])
LATENCY = Histogram("app_request_latency_seconds", "Time of a request.", ["method", "endpoint"])
VIEWS = Counter("products_viewed_total", "Views of a product.", ["product_id"])


@app.before_request
def start_timer():
    g.start = time.perf_counter()


@app.after_request
def count(response):
    endpoint = request.url_rule.rule if request.url_rule else "unmatched"
    REQUESTS.labels(request.method, endpoint, response.status_code).inc()
    LATENCY.labels(request.method, endpoint).observe(time.perf_counter() - g.start)
    return response


@app.get("/products/<product_id>")
def get_product(product_id):
    product = BY_ID.get(product_id)
    if product is None:
        abort(404)
    VIEWS.labels(product_id).inc()
    return jsonify(product)


@app.get("/products")
def list_products():
    limit = request.args.get("limit", 100, type=int)
    if not 1 <= limit <= 1000:
        abort(400)
    response = jsonify(PRODUCTS[:limit])
    response.headers["X-Total-Count"] = str(len(PRODUCTS))
    return response


@app.get("/metrics")
def metrics():
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return Response(generate_latest(registry), mimetype=CONTENT_TYPE_LATEST)
