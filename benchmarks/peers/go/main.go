// The catalogue on net/http with client_golang, as its users would write it.
//
// Run: PRODUCTS=products.json PORT=8000 GO111MODULE=off go run .
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type product struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Price       float64   `json:"price"`
	Category    string    `json:"category"`
	Version     int       `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

var (
	requests = promauto.NewCounterVec(prometheus.CounterOpts{Name: "app_requests_total", Help: "Requests answered."}, []string{"code", "method", "endpoint"})
	latency  = promauto.NewHistogramVec(prometheus.HistogramOpts{Name: "app_request_latency_seconds", Help: "Time of a request."}, []string{"method", "endpoint"})
	views    = promauto.NewCounterVec(prometheus.CounterOpts{Name: "products_viewed_total", Help: "Views of a product."}, []string{"product_id"})
)

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func counted(endpoint string, next http.HandlerFunc) http.Handler {
	labels := prometheus.Labels{"endpoint": endpoint}
	return promhttp.InstrumentHandlerDuration(latency.MustCurryWith(labels),
		promhttp.InstrumentHandlerCounter(requests.MustCurryWith(labels), next))
}

func main() {
	text, err := os.ReadFile(os.Getenv("PRODUCTS"))
	if err != nil {
		log.Fatal(err)
	}
	var products []product
	if err := json.Unmarshal(text, &products); err != nil {
		log.Fatal(err)
	}
	byID := make(map[string]product, len(products))
	for _, p := range products {
		byID[p.ID] = p
	}

	mux := http.NewServeMux()
	mux.Handle("/products/", counted("/products/{id}", func(w http.ResponseWriter, r *http.Request) {
		p, ok := byID[strings.TrimPrefix(r.URL.Path, "/products/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		views.WithLabelValues(p.ID).Inc()
		answer(w, p)
	}))
	mux.Handle("/products", counted("/products", func(w http.ResponseWriter, r *http.Request) {
		limit := 100
		if asked := r.URL.Query().Get("limit"); asked != "" {
			var err error
			if limit, err = strconv.Atoi(asked); err != nil || limit < 1 || limit > 1000 {
				http.Error(w, "limit must be from 1 to 1000", http.StatusBadRequest)
				return
			}
		}
		w.Header().Set("X-Total-Count", strconv.Itoa(len(products)))
		if limit > len(products) {
			limit = len(products)
		}
		answer(w, products[:limit])
	}))
	mux.Handle("/metrics", promhttp.Handler())
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
