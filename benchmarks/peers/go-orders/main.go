// Orders on net/http with database/sql, as its users would write it: a transaction an order.
//
// Run: PGHOST=localhost PGDATABASE=orders PORT=8000 GO111MODULE=off go run . (with the tables of ../orders.sql)
package main

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sort"
	"time"

	_ "github.com/lib/pq"
)

type line struct {
	ProductID string  `json:"product_id"`
	Name      string  `json:"name"`
	Quantity  int64   `json:"quantity"`
	UnitPrice float64 `json:"unit_price"`
	cents     int64
}

type order struct {
	ID         string    `json:"order_id"`
	CustomerID string    `json:"customer_id"`
	Status     string    `json:"status"`
	Items      []line    `json:"items"`
	Total      float64   `json:"total"`
	CreatedAt  time.Time `json:"created_at"`
}

var errTooLittle = errors.New("too little stock")

func newID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		log.Fatal(err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func place(db *sql.DB, o *order) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// In one order, so that transactions don't lock each other out.
	sort.Slice(o.Items, func(i, j int) bool { return o.Items[i].ProductID < o.Items[j].ProductID })
	var total int64
	for i := range o.Items {
		item := &o.Items[i]
		err := tx.QueryRow(`UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING name, price_cents`,
			item.ProductID, item.Quantity).Scan(&item.Name, &item.cents)
		if errors.Is(err, sql.ErrNoRows) {
			return errTooLittle
		}
		if err != nil {
			return err
		}
		item.UnitPrice = float64(item.cents) / 100
		total += item.cents * item.Quantity
	}
	o.Total = float64(total) / 100
	if _, err := tx.Exec(`INSERT INTO orders (id, customer_id, status, total_cents, created_at) VALUES ($1, $2, $3, $4, $5)`,
		o.ID, o.CustomerID, o.Status, total, o.CreatedAt); err != nil {
		return err
	}
	for i, item := range o.Items {
		if _, err := tx.Exec(`INSERT INTO order_lines (order_id, line, product_id, name, quantity, unit_price_cents) VALUES ($1, $2, $3, $4, $5, $6)`,
			o.ID, i, item.ProductID, item.Name, item.Quantity, item.cents); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(64)
	db.SetMaxIdleConns(64)
	http.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		o := order{ID: newID(), Status: "created", CreatedAt: time.Now().UTC()}
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil || o.CustomerID == "" || len(o.Items) == 0 {
			http.Error(w, "an order needs a customer and items", http.StatusBadRequest)
			return
		}
		for _, item := range o.Items {
			if item.Quantity < 1 {
				http.Error(w, "quantity must be at least 1", http.StatusBadRequest)
				return
			}
		}
		switch err := place(db, &o); {
		case errors.Is(err, errTooLittle):
			http.Error(w, err.Error(), http.StatusConflict)
		case err != nil:
			log.Print(err)
			http.Error(w, "the order was not placed", http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.Header().Set("Location", "/orders/"+o.ID)
			w.WriteHeader(http.StatusCreated)
			if err := json.NewEncoder(w).Encode(o); err != nil {
				log.Print(err)
			}
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
