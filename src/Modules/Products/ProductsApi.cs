using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;

namespace Shop.Products;

/// <summary>The routes of the products service.</summary>
internal sealed class ProductsApi(
    Catalogue catalogue, FindProduct findProduct, ListProducts listProducts, CreateProduct createProduct,
    ChangeProduct changeProduct)
{
    public void Map(ModuleRoutes routes)
    {
        const string Tag = "Products";
        const string NotHeld =
            "If-Match or If-None-Match does not hold, for example because the product has changed since.";
        const string Example = """
            {"id":"prod_0","name":"Walnut desk lamp","description":"Warm light.","price":79.90,"category":"Home",
            "version":1,"created_at":"2026-01-31T12:00:00Z","updated_at":"2026-01-31T12:00:00Z"}
            """;

        routes.Get("/products", listProducts.HandleAsync).WithQuery(ListProducts.QueryFields).CompressResponse()
            .WithName("listProducts").WithTags(Tag).WithSummary("List the products")
            .WithDescription("Filtered and sorted. X-Total-Count is the number of all of them, Link the next page. A "
                + "page has a megabyte at most, so it may have fewer products than limit even if there are more.")
            .Produces<ProductBody[]>(200, "A page.", $"[{Example}]");
        routes.Get("/products/{id}", findProduct.HandleAsync)
            .WithHeaders(Preconditions.IfMatch, Preconditions.IfNoneMatch).RevalidateCaches()
            .WithPathExample("prod_0")
            .WithName("getProduct").WithTags(Tag).WithSummary("Read a product")
            .WithDescription("Counts a view, also if the answer is a 304.")
            .Produces<ProductBody>(200, "The product, with its ETag.", Example)
            .Produces(304, "The client's copy is current.")
            .ProducesProblem(404, "There is no such product.")
            .ProducesProblem(412, "If-Match does not name the product's current ETag.");
        routes.Post("/products", createProduct.HandleAsync).WithBody("CreateProductRequest", CreateProduct.Body)
            .WithEntityTag()
            .WithName("createProduct").WithTags(Tag).WithSummary("Create a product")
            .WithDescription("Inventory has its initial stock from then on.")
            .Produces<ProductBody>(201, "Created, and on disk; Location says where.", Example)
            .ProducesProblem(409,
                "The id is taken, or the catalogue has used its share of memory (catalogue-full).");
        routes.Put("/products/{id}", changeProduct.ReplaceAsync)
            .WithHeaders(Preconditions.IfMatch, Preconditions.IfNoneMatch)
            .WithBody("ReplaceProductRequest", ProductFields.Details).WithEntityTag()
            .WithPathExample("prod_0")
            .WithName("replaceProduct").WithTags(Tag).WithSummary("Replace a product")
            .WithDescription(
                "Replaces name, price, description and category. A field that is left out gets its default.")
            .Produces<ProductBody>(200, "Replaced, and on disk.", Example)
            .ProducesProblem(404, "There is no such product.")
            .ProducesProblem(409, "The catalogue is full (catalogue-full), and the product would become larger.")
            .ProducesProblem(412, NotHeld);
        routes.Delete("/products/{id}", changeProduct.DeleteAsync)
            .WithHeaders(Preconditions.IfMatch, Preconditions.IfNoneMatch).WithPathExample("prod_199")
            .WithName("deleteProduct").WithTags(Tag).WithSummary("Delete a product")
            .WithDescription(
                "It leaves the catalogue. Orders that named it keep their lines. Its id is never used again.")
            .Produces(204, "Deleted, and on disk.")
            .ProducesProblem(404, "There is no such product.")
            .ProducesProblem(412, NotHeld);
        routes.Get("/categories", Categories)
            .WithName("listCategories").WithTags(Tag).WithSummary("List the categories")
            .WithDescription("By name, each with the number of its products.")
            .Produces<CategoryBody[]>(200, "All of them.", """[{"category":"Home","products":25}]""");
    }

    private ValueTask<IResult> Categories(HttpContext http) => ValueTask.FromResult(
        JsonResponse.Ok(catalogue.View.AllCategories, ProductsJson.Default.CategoryBodyArray));
}
