"""The catalogue on FastAPI with prometheus_client, as its users would write it.

Run: uvicorn app:app --port 8000 --no-access-log
"""

import json
import os
import time
from datetime import datetime

from fastapi import FastAPI, HTTPException, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel


class Product(BaseModel):
    id: str
    name: str
    description: str
    price: float
    category: str
    version: int
    created_at: datetime
    updated_at: datetime


app = FastAPI()

with open(os.environ["PRODUCTS"], encoding="utf-8") as file:
    PRODUCTS = [Product(**product) for product in json.load(file)]
BY_ID = {product.id: product for product in PRODUCTS}

REQUESTS = Counter("app_requests_total", "Requests answered.", ["method", "endpoint", "code"])
LATENCY = Histogram("app_request_latency_seconds", "Time of a request.", ["method", "endpoint"])
VIEWS = Counter("products_viewed_total", "Views of a product.", ["product_id"])


@app.middleware("http")
async def count(request: Request, call_next):
    start = time.perf_counter()
    response = await call_next(request)
    route = request.scope.get("route")
    endpoint = route.path if route else "unmatched"
    REQUESTS.labels(request.method, endpoint, response.status_code).inc()
    LATENCY.labels(request.method, endpoint).observe(time.perf_counter() - start)
    return response


@app.get("/products/{product_id}")
async def get_product(product_id: str) -> Product:
    product = BY_ID.get(product_id)
    if product is None:
        raise HTTPException(404)
    VIEWS.labels(product_id).inc()
    return product


@app.get("/products")
async def list_products(response: Response, limit: int = Query(100, ge=1, le=1000)) -> list[Product]:
    response.headers["X-Total-Count"] = str(len(PRODUCTS))
    return PRODUCTS[:limit]


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
